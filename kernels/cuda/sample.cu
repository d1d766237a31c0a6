/* One block of 1024 threads: penalties, a histogram to find where the k-th candidate lies, a sort
 * of those at or above it, and prefix sums.  Weights are whole multiples of 2^-32 (sample.h), so
 * sums in any order are exact and equal the host's. */
#include "kernels/cuda/sample.cuh"
#include "kernels/sample.h"

enum { THREADS = 1024, BINS = 2048, TOP_K_MOST = 1024 };

static __device__ __forceinline__ int rank_id(Rank r)
{
    return INT_MAX - (int)(r & 0xffffffffu);
}

static __device__ __forceinline__ float rank_logit(Rank r)
{
    unsigned u = (unsigned)(r >> 32);
    return __uint_as_float(u & 0x80000000u ? u & 0x7fffffffu : ~u);
}

template <typename T, typename F> static __device__ T block_reduce(T v, T *share, F op)
{
    __syncthreads();
    share[threadIdx.x] = v;
    for (int o = THREADS / 2; o; o /= 2) {
        __syncthreads();
        if (threadIdx.x < o)
            share[threadIdx.x] = op(share[threadIdx.x], share[threadIdx.x + o]);
    }
    __syncthreads();
    return share[0];
}

/* Inclusive sums over the block's threads, in place of v; exact, so the order does not matter. */
static __device__ double block_scan(double v, double *share)
{
    __syncthreads();
    share[threadIdx.x] = v;
    for (int o = 1; o < THREADS; o *= 2) {
        __syncthreads();
        double add = threadIdx.x >= o ? share[threadIdx.x - o] : 0;
        __syncthreads();
        share[threadIdx.x] += add;
    }
    __syncthreads();
    return share[threadIdx.x];
}

static __device__ void apply_penalties(const SampleCall &c)
{
    int begin =
        sample_has_penalty(&c.spec) ? sample_window_begin(&c.spec, c.n_history) : c.n_history;
    for (int i = begin + threadIdx.x; i < c.n_history; i += THREADS)
        if (c.history[i] >= 0 && c.history[i] < c.n_tokens)
            atomicAdd(&c.count[c.history[i]], 1);
    __syncthreads();
    for (int i = threadIdx.x; i < c.n_tokens; i += THREADS) {
        c.penalised[i] = sample_penalise(c.logits[i], c.count[i], &c.spec);
        c.count[i] = 0;
    }
    __syncthreads();
}

/* Bin of the histogram that holds the k-th candidate; *inside gets how many lie at or above it. */
static __device__ int find_bin(const SampleCall &c, int k, int *histogram, int *found, int *inside)
{
    for (int i = threadIdx.x; i < BINS; i += THREADS)
        histogram[i] = 0;
    __syncthreads();
    for (int i = threadIdx.x; i < c.n_tokens; i += THREADS)
        atomicAdd(&histogram[rank_of(c.penalised[i], 0) >> 53], 1);
    __syncthreads();
    if (threadIdx.x == 0) {
        int sum = 0, b = BINS;
        while (b > 0 && sum < k)
            sum += histogram[--b];
        *found = b, *inside = sum;
    }
    __syncthreads();
    return *found;
}

static __device__ void sort_descending(Rank *list, int n)
{
    for (int size = 2; size <= n; size *= 2)
        for (int step = size / 2; step; step /= 2) {
            __syncthreads();
            for (int i = threadIdx.x; i < n; i += THREADS) {
                int j = i ^ step;
                if (j > i && (list[i] < list[j]) == ((i & size) == 0)) {
                    Rank t = list[i];
                    list[i] = list[j], list[j] = t;
                }
            }
        }
    __syncthreads();
}

/* top-p, min-p and the draw over list[0..n), n <= TOP_K_MOST: a candidate a thread. */
static __device__ int draw(const SampleCall &c, const Rank *list, int n, double *share)
{
    const SampleSpec &s = c.spec;
    int i = threadIdx.x;
    float best = rank_logit(list[0]), sharpness = sample_sharpness(s.temperature);
    double weight = i < n ? sample_weight(rank_logit(list[i]), best, sharpness) : 0;
    double sum = block_scan(weight, share), total = share[THREADS - 1];
    double limit = s.top_p < 1 ? sample_mul_double((double)s.top_p, total) : total;
    double floor_weight = sample_mul_double((double)s.min_p, SAMPLE_ONE);
    bool keep =
        i < n && (i == 0 || !(sum - weight >= limit || weight < floor_weight || weight == 0));
    double kept = block_scan(keep ? weight : 0, share), kept_total = share[THREADS - 1];
    double target = sample_mul_double(sample_random(s.seed, (uint64_t)c.n_history), kept_total);
    int first = block_reduce(keep && kept > target ? i : INT_MAX, (int *)share,
                             [](int a, int b) { return a < b ? a : b; });
    int last = block_reduce(keep ? i : 0, (int *)share, [](int a, int b) { return a > b ? a : b; });
    return rank_id(list[first == INT_MAX ? last : first]);
}

static __global__ void __launch_bounds__(THREADS) k_sample(const __grid_constant__ SampleCall c)
{
    extern __shared__ __align__(16) unsigned char raw[];
    Rank *list = (Rank *)raw;                       /* [SAMPLE_LIST] */
    double *share = (double *)(list + SAMPLE_LIST); /* [THREADS] */
    int *histogram = (int *)(share + THREADS);      /* [BINS] */
    __shared__ int found, inside, filled;
    bool bad = false;
    Rank raw_best = 0, best = 0;
    apply_penalties(c);
    for (int i = threadIdx.x; i < c.n_tokens; i += THREADS) {
        bad = bad || !(c.logits[i] <= 3.402823466e38f) || !(c.penalised[i] <= 3.402823466e38f);
        Rank r = rank_of(c.logits[i], i), p = rank_of(c.penalised[i], i);
        raw_best = r > raw_best ? r : raw_best;
        best = p > best ? p : best;
    }
    auto larger = [](Rank a, Rank b) { return a > b ? a : b; };
    raw_best = block_reduce(raw_best, (Rank *)share, larger);
    best = block_reduce(best, (Rank *)share, larger);
    int id = -1;
    if (!__syncthreads_or(bad)) {
        if (!(rank_logit(best) >= -3.402823466e38f))
            id = rank_id(raw_best);
        else if (c.spec.temperature <= 0)
            id = rank_id(best);
        else {
            int k = c.spec.top_k < c.n_tokens ? c.spec.top_k : c.n_tokens;
            int bin = find_bin(c, k, histogram, &found, &inside);
            id = -2;
            if (inside <= SAMPLE_LIST) {
                if (threadIdx.x == 0)
                    filled = 0;
                int size = 2;
                while (size < inside)
                    size *= 2;
                for (int i = threadIdx.x; i < size; i += THREADS)
                    list[i] = 0;
                __syncthreads();
                for (int i = threadIdx.x; i < c.n_tokens; i += THREADS) {
                    Rank r = rank_of(c.penalised[i], i);
                    if ((int)(r >> 53) >= bin)
                        list[atomicAdd(&filled, 1)] = r;
                }
                sort_descending(list, size);
                id = draw(c, list, k, share);
            }
        }
    }
    if (threadIdx.x)
        return;
    c.result->id = id;
    c.result->nan_layer = c.run->nan_layer;
    c.run->ids[0] = id < 0 ? 0 : id;
    c.run->pos += 1;
    c.run->n = 1;
    __threadfence_system();
}

bool sample_on_device(const SampleSpec *spec)
{
    return spec->temperature <= 0 || (spec->top_k > 0 && spec->top_k <= TOP_K_MOST);
}

cudaError_t sample_launch(const SampleCall *call, cudaStream_t stream)
{
    k_sample<<<1, THREADS,
               SAMPLE_LIST * sizeof(Rank) + THREADS * sizeof(double) + BINS * sizeof(int),
               stream>>>(*call);
    return cudaGetLastError();
}
