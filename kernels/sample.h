/* Choosing the next token: the one definition, for every device (C and CUDA).
 *
 * Order, as in Hugging Face: repetition, frequency and presence penalties; temperature; top-k;
 * top-p; min-p; a draw.
 *   - Only ids below n_tokens take part.  If penalties leave nothing finite, the best raw logit is
 * taken.
 *   - Candidates are ordered by (logit descending, id ascending); top-k keeps exactly k of that
 * order.
 *   - Weights are 2^((logit - best) * log2(e) / temperature), rounded to whole multiples of 2^-32
 * (sample_weight), so that sums in double are exact and do not depend on their order.
 *   - top-p keeps a candidate while the weights before it sum to less than p of the total, and
 * always the first.
 *   - min-p then keeps weights of at least min_p times the first.
 *   - The draw: the first candidate whose sum including itself exceeds random * (sum of the kept).
 * Random numbers are a function of (seed, position of the token in its timeline).
 *
 * Products and sums are rounded one by one: compile with -ffp-contract=off; device code goes
 * through the intrinsics. */
#ifndef KERNELS_SAMPLE_H
#define KERNELS_SAMPLE_H

#include "kernels/kernels.h"

#ifdef __CUDACC__
#define SAMPLE_FN static __host__ __device__ inline
#else
#define SAMPLE_FN static inline
#endif

#ifdef __CUDA_ARCH__
SAMPLE_FN float sample_mul(float a, float b)
{
    return __fmul_rn(a, b);
}
SAMPLE_FN float sample_add(float a, float b)
{
    return __fadd_rn(a, b);
}
SAMPLE_FN double sample_mul_double(double a, double b)
{
    return __dmul_rn(a, b);
}
SAMPLE_FN double sample_add_double(double a, double b)
{
    return __dadd_rn(a, b);
}
#else
SAMPLE_FN float sample_mul(float a, float b)
{
    return a * b;
}
SAMPLE_FN float sample_add(float a, float b)
{
    return a + b;
}
SAMPLE_FN double sample_mul_double(double a, double b)
{
    return a * b;
}
SAMPLE_FN double sample_add_double(double a, double b)
{
    return a + b;
}
#endif

/* The weight of the best candidate. */
#define SAMPLE_ONE 4294967296.0

typedef struct {
    float logit; /* after penalties */
    int32_t id;
} SampleCandidate;

/* Memory that sample_pick works in; the owner of a timeline keeps it. */
typedef struct {
    SampleCandidate *candidate; /* [n_tokens] */
    int32_t *count;             /* [n_tokens], all zero between calls */
} SampleScratch;

/* splitmix64's output function. */
SAMPLE_FN uint64_t sample_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/* In [0, 1), 53 bits. */
SAMPLE_FN double sample_random(uint64_t seed, uint64_t position)
{
    uint64_t z = sample_mix(seed + 0x9e3779b97f4a7c15ULL);
    z = sample_mix(z ^ sample_mix((position + 1) * 0x9e3779b97f4a7c15ULL));
    return (double)(z >> 11) * 0x1p-53;
}

/* A logit after penalties; count: how often the id occurs in the window. */
SAMPLE_FN float sample_penalise(float logit, int count, const SampleSpec *spec)
{
    if (count == 0)
        return logit;
    if (spec->repeat_penalty != 1.0f)
        logit = logit < 0 ? sample_mul(logit, spec->repeat_penalty) : logit / spec->repeat_penalty;
    if (spec->frequency_penalty != 0 || spec->presence_penalty != 0) {
        logit = sample_add(logit, -sample_mul((float)count, spec->frequency_penalty));
        logit = sample_add(logit, -spec->presence_penalty);
    }
    return logit;
}

SAMPLE_FN bool sample_has_penalty(const SampleSpec *spec)
{
    return spec->repeat_penalty != 1.0f || spec->frequency_penalty != 0 ||
           spec->presence_penalty != 0;
}

/* The first of the last tokens that penalties look at. */
SAMPLE_FN int sample_window_begin(const SampleSpec *spec, int n_history)
{
    return spec->repeat_window > 0 && spec->repeat_window < n_history
               ? n_history - spec->repeat_window
               : 0;
}

/* log2(e) / temperature, bounded so that 0 times it stays 0. */
SAMPLE_FN float sample_sharpness(float temperature)
{
    double sharp = 1.4426950408889634 / (double)temperature;
    return sharp < 1e30 ? (float)sharp : 1e30f;
}

/* 2^y for -34 < y <= 0: a polynomial of degree 7 on [-1/2, 1/2], error about 1e-7. */
SAMPLE_FN float sample_exp2(float y)
{
    int whole = (int)sample_add(y, -0.5f); /* y <= 0: rounds to nearest, halves down */
    float f = sample_add(y, -(float)whole);
    float p = 1.5252734e-5f;
    p = sample_add(sample_mul(p, f), 1.5403530e-4f);
    p = sample_add(sample_mul(p, f), 1.3333558e-3f);
    p = sample_add(sample_mul(p, f), 9.6181291e-3f);
    p = sample_add(sample_mul(p, f), 5.5504109e-2f);
    p = sample_add(sample_mul(p, f), 2.4022651e-1f);
    p = sample_add(sample_mul(p, f), 6.9314718e-1f);
    p = sample_add(sample_mul(p, f), 1.0f);
    return sample_mul(p, 1.0f / (float)(1ULL << -whole));
}

/* A whole number from 0 to SAMPLE_ONE.  logit <= best; both may be -inf only if logit is. */
SAMPLE_FN double sample_weight(float logit, float best, float sharpness)
{
    float y = sample_mul(sample_add(logit, -best), sharpness);
    if (!(y >= -33.0f))
        return 0;
    if (y == 0)
        return SAMPLE_ONE;
    return (double)(int64_t)sample_add_double(sample_mul_double((double)sample_exp2(y), SAMPLE_ONE),
                                              0.5);
}

/* Whether a stands before b in the order of candidates. */
SAMPLE_FN bool sample_before(SampleCandidate a, SampleCandidate b)
{
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

/* Puts heap[i] where it belongs below; the root is the first of the order, or the last where
 * last_on_top. */
SAMPLE_FN void sample_sift(SampleCandidate *heap, int n, int i, bool last_on_top)
{
    SampleCandidate moved = heap[i];
    for (int child = 2 * i + 1; child < n; child = 2 * i + 1) {
        if (child + 1 < n && sample_before(heap[child + 1], heap[child]) != last_on_top)
            child++;
        if (sample_before(heap[child], moved) == last_on_top)
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = moved;
}

SAMPLE_FN void sample_heapify(SampleCandidate *heap, int n, bool last_on_top)
{
    for (int i = n / 2 - 1; i >= 0; i--)
        sample_sift(heap, n, i, last_on_top);
}

/* The best of n logits, lowest id on ties; -1 when one is NaN or +inf.  In lanes, so that compilers
 * make vectors of it: a vocabulary is long. */
SAMPLE_FN int32_t sample_argmax(const float *logits, int n)
{
    float lane[16], best;
    int bad[16], n_bad = 0, i = 0;
    for (int j = 0; j < 16; j++) {
        lane[j] = logits[0];
        bad[j] = 0;
    }
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; j++) {
            lane[j] = logits[i + j] > lane[j] ? logits[i + j] : lane[j];
            bad[j] |= !(logits[i + j] <= 3.402823466e38f);
        }
    for (; i < n; i++) {
        lane[0] = logits[i] > lane[0] ? logits[i] : lane[0];
        bad[0] |= !(logits[i] <= 3.402823466e38f);
    }
    best = lane[0];
    for (int j = 0; j < 16; j++) {
        best = lane[j] > best ? lane[j] : best;
        n_bad += bad[j];
    }
    if (n_bad > 0)
        return -1;
    for (i = 0; logits[i] != best;)
        i++;
    return i;
}

/* Moves the first k of the order to the front, in no order; returns how many there are. */
SAMPLE_FN int sample_top_k(SampleCandidate *candidate, int n, int k)
{
    if (k <= 0 || k >= n)
        return n;
    sample_heapify(candidate, k, true);
    for (int i = k; i < n; i++) {
        if (!sample_before(candidate[i], candidate[0]))
            continue;
        candidate[0] = candidate[i];
        sample_sift(candidate, k, 0, true);
    }
    return k;
}

/* Takes the first n_left of a heap out of it and puts it at its end. */
SAMPLE_FN SampleCandidate sample_pop(SampleCandidate *heap, int n_left)
{
    SampleCandidate first = heap[0];
    heap[0] = heap[n_left - 1];
    sample_sift(heap, n_left - 1, 0, false);
    heap[n_left - 1] = first;
    return first;
}

/* top-p, min-p and the draw over n candidates, whose best logit is `best`. */
SAMPLE_FN int32_t sample_draw(SampleCandidate *candidate, int n, float best, const SampleSpec *spec,
                              double random)
{
    float sharpness = sample_sharpness(spec->temperature);
    double total = 0, sum = 0;
    int n_weighty = 0;
    for (int i = 0; i < n; i++) { /* most of a vocabulary weighs nothing */
        double weight = sample_weight(candidate[i].logit, best, sharpness);
        if (weight == 0)
            continue;
        total += weight;
        candidate[n_weighty++] = candidate[i];
    }
    n = n_weighty;
    double limit = spec->top_p < 1 ? sample_mul_double((double)spec->top_p, total) : total;
    double floor_weight = sample_mul_double((double)spec->min_p, SAMPLE_ONE);
    double target = spec->top_p < 1 || spec->min_p > 0 ? total : sample_mul_double(random, total);
    int n_kept = 0;
    sample_heapify(candidate, n, false);
    while (n_kept < n && sum <= target) { /* without top-p and min-p the draw ends the loop */
        SampleCandidate next = sample_pop(candidate, n - n_kept);
        double weight = sample_weight(next.logit, best, sharpness);
        if (n_kept > 0 && (sum >= limit || weight < floor_weight))
            break;
        sum += weight;
        n_kept++;
    }
    if (target == total)
        target = sample_mul_double(random, sum);
    sum = 0;
    for (int i = 0; i < n_kept; i++) {
        sum += sample_weight(candidate[n - 1 - i].logit, best, sharpness);
        if (sum > target)
            return candidate[n - 1 - i].id;
    }
    return candidate[n - n_kept].id;
}

/* Fills scratch->candidate with the logits after penalties; false when one became NaN or +inf. */
SAMPLE_FN bool sample_candidates(const float *logits, int n_tokens, const int32_t *history,
                                 int n_history, const SampleSpec *spec, SampleScratch *scratch)
{
    bool ok = true;
    int begin = sample_has_penalty(spec) ? sample_window_begin(spec, n_history) : n_history;
    for (int i = begin; i < n_history; i++)
        if (history[i] >= 0 && history[i] < n_tokens)
            scratch->count[history[i]]++;
    for (int i = 0; i < n_tokens; i++) {
        scratch->candidate[i].logit = logits[i];
        scratch->candidate[i].id = i;
    }
    for (int i = begin; i < n_history; i++) {
        int32_t id = history[i];
        if (id < 0 || id >= n_tokens || scratch->count[id] == 0)
            continue;
        float logit = sample_penalise(logits[id], scratch->count[id], spec);
        ok = ok && logit <= 3.402823466e38f;
        scratch->candidate[id].logit = logit;
        scratch->count[id] = 0;
    }
    return ok;
}

/* The next id, or -1 when a logit is NaN or +inf (KS_NAN).  logits: at least n_tokens, n_tokens >=
 * 1; history: the tokens of the timeline; position: where the new token will stand. */
SAMPLE_FN int32_t sample_pick(const float *logits, int n_tokens, const int32_t *history,
                              int n_history, const SampleSpec *spec, uint64_t position,
                              SampleScratch *scratch)
{
    int32_t raw_best = sample_argmax(logits, n_tokens);
    if (raw_best < 0 || (spec->temperature <= 0 && !sample_has_penalty(spec)))
        return raw_best;
    if (!sample_candidates(logits, n_tokens, history, n_history, spec, scratch))
        return -1;
    SampleCandidate best = scratch->candidate[0];
    for (int i = 1; i < n_tokens; i++)
        if (scratch->candidate[i].logit > best.logit)
            best = scratch->candidate[i];
    if (!(best.logit >= -3.402823466e38f))
        return raw_best;
    if (spec->temperature <= 0)
        return best.id;
    int n = sample_top_k(scratch->candidate, n_tokens, spec->top_k);
    return sample_draw(scratch->candidate, n, best.logit, spec,
                       sample_random(spec->seed, position));
}

#endif
