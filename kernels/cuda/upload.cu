/* Host to device at the speed of the bus: several threads copy out of the mapped file into pinned
 * buffers, which go up in turn.  (cudaMemcpy from pageable memory uses one thread and one small
 * buffer of the driver's.) */
#include "kernels/cuda/layout.cuh"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUFFERS = 4, BUFFER_BYTES = 32 << 20, COPY_THREADS = 4, PIECE = 1 << 20 };

struct Uploader {
    cudaStream_t stream;
    char *buffer[BUFFERS];
    cudaEvent_t sent[BUFFERS];
    int turn;
    /* the copy threads: generation counts jobs; each takes every COPY_THREADS-th piece */
    pthread_t thread[COPY_THREADS];
    int n_threads;
    pthread_mutex_t lock;
    pthread_cond_t start, end;
    unsigned long generation;
    int running;
    bool quit;
    char *dst;
    const char *src;
    size_t bytes;
};

typedef struct {
    Uploader *up;
    int index;
} Job;

static void copy_share(Uploader *up, int index, int n)
{
    for (size_t at = (size_t)index * PIECE; at < up->bytes; at += (size_t)n * PIECE)
        memcpy(up->dst + at, up->src + at, up->bytes - at < PIECE ? up->bytes - at : PIECE);
}

static void *copy_main(void *arg)
{
    Job job = *(Job *)arg;
    free(arg);
    Uploader *up = job.up;
    unsigned long seen = 0;
    pthread_mutex_lock(&up->lock);
    for (;;) {
        while (up->generation == seen && !up->quit)
            pthread_cond_wait(&up->start, &up->lock);
        if (up->quit)
            break;
        seen = up->generation;
        pthread_mutex_unlock(&up->lock);
        copy_share(up, job.index + 1, up->n_threads + 1);
        pthread_mutex_lock(&up->lock);
        if (--up->running == 0)
            pthread_cond_signal(&up->end);
    }
    pthread_mutex_unlock(&up->lock);
    return NULL;
}

cudaError_t uploader_new(Uploader **out, cudaStream_t stream)
{
    Uploader *up = (Uploader *)calloc(1, sizeof *up);
    *out = up;
    if (!up)
        return cudaErrorMemoryAllocation;
    up->stream = stream;
    pthread_mutex_init(&up->lock, NULL);
    pthread_cond_init(&up->start, NULL);
    pthread_cond_init(&up->end, NULL);
    for (int i = 0; i < BUFFERS; i++) {
        cudaError_t e = cudaMallocHost((void **)&up->buffer[i], BUFFER_BYTES);
        if (e == cudaSuccess)
            e = cudaEventCreateWithFlags(&up->sent[i], cudaEventDisableTiming);
        if (e != cudaSuccess)
            return e;
    }
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int want = cores < COPY_THREADS ? (int)cores : COPY_THREADS;
    for (int i = 0; i + 1 < want; i++) {
        Job *job = (Job *)malloc(sizeof *job);
        if (!job)
            break;
        job->up = up, job->index = i;
        if (pthread_create(&up->thread[up->n_threads], NULL, copy_main, job)) {
            free(job);
            break;
        }
        up->n_threads++;
    }
    return cudaSuccess;
}

static void fill(Uploader *up, char *dst, const char *src, size_t bytes)
{
    up->dst = dst, up->src = src, up->bytes = bytes;
    if (bytes <= PIECE || up->n_threads == 0) {
        memcpy(dst, src, bytes);
        return;
    }
    pthread_mutex_lock(&up->lock);
    up->running = up->n_threads;
    up->generation++;
    pthread_cond_broadcast(&up->start);
    pthread_mutex_unlock(&up->lock);
    copy_share(up, 0, up->n_threads + 1);
    pthread_mutex_lock(&up->lock);
    while (up->running)
        pthread_cond_wait(&up->end, &up->lock);
    pthread_mutex_unlock(&up->lock);
}

cudaError_t uploader_copy(Uploader *up, void *dst, const void *src, size_t bytes)
{
    for (size_t at = 0; at < bytes;) {
        size_t n = bytes - at < BUFFER_BYTES ? bytes - at : BUFFER_BYTES;
        int i = up->turn;
        up->turn = (up->turn + 1) % BUFFERS;
        cudaError_t e = cudaEventSynchronize(up->sent[i]);
        if (e != cudaSuccess)
            return e;
        fill(up, up->buffer[i], (const char *)src + at, n);
        e = cudaMemcpyAsync((char *)dst + at, up->buffer[i], n, cudaMemcpyHostToDevice, up->stream);
        if (e == cudaSuccess)
            e = cudaEventRecord(up->sent[i], up->stream);
        if (e != cudaSuccess)
            return e;
        at += n;
    }
    return cudaSuccess;
}

void uploader_free(Uploader *up)
{
    if (!up)
        return;
    pthread_mutex_lock(&up->lock);
    up->quit = true;
    pthread_cond_broadcast(&up->start);
    pthread_mutex_unlock(&up->lock);
    for (int i = 0; i < up->n_threads; i++)
        pthread_join(up->thread[i], NULL);
    for (int i = 0; i < BUFFERS; i++) {
        if (up->sent[i])
            cudaEventDestroy(up->sent[i]);
        cudaFreeHost(up->buffer[i]);
    }
    pthread_mutex_destroy(&up->lock);
    pthread_cond_destroy(&up->start);
    pthread_cond_destroy(&up->end);
    free(up);
}
