/* What a whole run of the program keeps in memory at its peak, in real models: the weights once, a
 * twentieth more, and a constant for the tokenizer, the cache of 512 tokens and the program. */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/base/buf.h"
#include "src/base/path.h"

enum { CONSTANT_KB = 64 << 10 };

/* Peak of one reply in KiB; -1: the program failed. */
static long peak_kb(const char *model)
{
    const char *program = getenv("KAIWA");
    struct rusage usage;
    int status;
    pid_t child = fork();

    if (child == 0) {
        int null = open("/dev/null", O_RDWR);

        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        execl(program, program, "ask", "-m", model, "--backend", "cpu", "--context", "512", "-n",
              "8", "--threads", "2", "Hello there", (char *)NULL);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &usage) != child || !WIFEXITED(status) ||
        WEXITSTATUS(status) != 0)
        return -1;
    return usage.ru_maxrss;
}

static void check_model(const char *name, const char *weights)
{
    const char *models = getenv("KAIWA_TEST_MODELS");
    Buf path = BUF_INIT, file = BUF_INIT;
    struct stat st;
    long peak, most;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* the sanitizers' own memory would count */
#endif
    if (!models || !getenv("KAIWA"))
        skip();
    path_join(&path, models, name);
    path_join(&file, buf_cstr(&path), weights);
    if (stat(*weights ? buf_cstr(&file) : buf_cstr(&path), &st) != 0) {
        buf_release(&path);
        buf_release(&file);
        skip();
    }
    peak = peak_kb(buf_cstr(&path));
    most = (long)((double)st.st_size / 1024 * 1.05) + CONSTANT_KB;
    print_message("# %s: %ld KiB at most, %ld KiB of weights, %ld allowed\n", name, peak,
                  (long)st.st_size / 1024, most);
    assert_true(peak > 0);
    assert_true(peak <= most);
    buf_release(&path);
    buf_release(&file);
}

static void a_gguf_model_is_in_memory_once(void **state)
{
    (void)state;
    check_model("SmolLM2-135M-Instruct.Q4_1.gguf", "");
}

static void a_gptq_model_is_in_memory_once(void **state)
{
    (void)state;
    check_model("smollm2-gptq-g64-sym", "gptq_model-4bit-64g.safetensors");
}

static void a_float_model_is_in_memory_once(void **state)
{
    (void)state;
    check_model("smollm2-f16", "model.safetensors");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gguf_model_is_in_memory_once),
        cmocka_unit_test(a_gptq_model_is_in_memory_once),
        cmocka_unit_test(a_float_model_is_in_memory_once),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
