/* Many tokens at once on Hopper: wgmma over the blocks of weights that decoding uses. */
#ifndef KERNELS_CUDA_PREFILL_WGMMA_CUH
#define KERNELS_CUDA_PREFILL_WGMMA_CUH

#include "kernels/cuda/attention.cuh"
#include "kernels/cuda/linear.cuh"
#include "kernels/cuda/prefill.cuh"

enum {
    WGMMA_TOKENS = 1024, /* at once; a multiple of every tile's tokens */
    WGMMA_FROM = 9,      /* as few are worth it; eight are decoded, with equal bits in any batch */
    UNIT_ROWS = 64       /* of a wgmma; a warp group works on two such units */
};

/* x in the order of wgmma_x_place, with room for WGMMA_TOKENS tokens. */
typedef struct {
    uint8_t *x;
    float *scale; /* [token]: x was divided by it, a power of two */
} WgmmaX;

/* How weights become fragments.  Exact where a group has a zero: a fragment is q - zero, the sums
 * are kept in units of the group's scale.  WEIGHTS_MINIMUM, q * scale + minimum in groups of 32,
 * is rounded to fp16. */
typedef enum {
    WEIGHTS_128, /* columns in a group */
    WEIGHTS_64,
    WEIGHTS_32,
    WEIGHTS_16,
    WEIGHTS_MINIMUM,
    N_WEIGHTS
} WgmmaWeights;

/* How a product is cut: a block has `groups` warp groups of 128 rows each and `tokens` tokens;
 * `split` blocks of a cluster share the columns and add their sums in order of rank.  tail: so many
 * share those of the tiles that do not fill a last round over the SMs, in a launch of their own. */
typedef struct {
    int groups, tokens, split, tail; /* tail 1: none */
    int stages;                      /* of the ring; 0: what fits */
} WgmmaPlan;

/* What NARROW_SCALE * 65504 does not hold is infinite in an x that a product writes. */
#define NARROW_SCALE 4.f

/* Up to three matrices of one x.  EPILOGUE_SILU: part[0] is gate, part[1] is up.  With rope the
 * parts are q, k and v, and go where attention_rope would bring them instead of to out. */
typedef struct {
    DevLinear part[3];
    int n_parts, offset[3]; /* of a part's rows in out */
    Epilogue epilogue;
    WgmmaX x;
    float *out; /* [token][stride] */
    WgmmaX to;  /* EPILOGUE_SILU: to.x not NULL: what is written instead, the x of down */
    int stride, tokens;
    bool rope; /* wgmma_can_rope() */
    AttentionCall attention;
    /* filled in by wgmma_linear */
    int units[3], token_tiles, first_tile, end_tile, split, stages;
} WgmmaCall;

/* True when one launch can take all parts of the call. */
bool wgmma_is_fusible(const WgmmaCall *call);
/* True where a warp group's 128 rows are one head and hold both halves of each rotated pair. */
bool wgmma_can_rope(const WgmmaCall *call);
/* The plan that is estimated to be fastest. */
WgmmaPlan wgmma_plan(const WgmmaCall *call, int n_sms);
cudaError_t wgmma_linear(const WgmmaCall *call, const WgmmaPlan *plan, int n_sms, bool pdl,
                         cudaStream_t stream);
cudaError_t wgmma_prepare(const PrefillPrepare *call, const WgmmaX *x, bool pdl,
                          cudaStream_t stream);
/* Raises shared memory limits; once a device, of compute capability 9.0. */
cudaError_t wgmma_setup(int shared_limit);

#endif
