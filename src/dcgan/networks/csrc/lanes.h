/* Eight kernels side by side, one in each lane: a vector for each pixel of a kernel, from weights as torch has them. */

#ifndef DCGAN_LANES_H
#define DCGAN_LANES_H

#include "vectors.h"

#ifdef DCGAN_COMPILED

#include <immintrin.h>

/* Eight vectors of eight: rows to columns. */
INLINE void turned(v8 *rows) {
  __m256 pairs[8], fours[8];
  UNROLL for (int i = 0; i < 8; i += 2) {
    pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
  }
  UNROLL for (int i = 0; i < 8; i += 4)
    UNROLL for (int j = 0; j < 2; j++) {
      fours[i + 2 * j] = _mm256_shuffle_ps(pairs[i + j], pairs[i + j + 2], 0x44);
      fours[i + 2 * j + 1] = _mm256_shuffle_ps(pairs[i + j], pairs[i + j + 2], 0xee);
    }
  UNROLL for (int i = 0; i < 4; i++) {
    rows[i] = _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x20);
    rows[i + 4] = _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x31);
  }
}

/* Kernels of `square` pixels, the first at `kernels` and the others `step` apart, to lanes; and back. Eight pixels at a
   time, and the last eight once more where they are not a multiple. */
#define BEGUN(pixel) ((pixel) + 8 < square ? (pixel) : square - 8)
INLINE void gathered(long square, const float *kernels, long step, v8 *pixels) {
  if (square < 8)
    for (long i = 0; i < 8 * square; i++) pixels[i % square][i / square] = kernels[i / square * step + i % square];
  else
    for (long pixel = 0; pixel < square; pixel += 8) {
      v8 rows[8];
      UNROLL for (int i = 0; i < 8; i++) rows[i] = *(const v8 *)(kernels + i * step + BEGUN(pixel));
      turned(rows);
      UNROLL for (int i = 0; i < 8; i++) pixels[BEGUN(pixel) + i] = rows[i];
    }
}
INLINE void scattered(long square, const v8 *pixels, float *kernels, long step) {
  if (square < 8)
    for (long i = 0; i < 8 * square; i++) kernels[i / square * step + i % square] = pixels[i % square][i / square];
  else
    for (long pixel = 0; pixel < square; pixel += 8) {
      v8 rows[8];
      UNROLL for (int i = 0; i < 8; i++) rows[i] = pixels[BEGUN(pixel) + i];
      turned(rows);
      UNROLL for (int i = 0; i < 8; i++) *(v8 *)(kernels + i * step + BEGUN(pixel)) = rows[i];
    }
}

#endif
#endif
