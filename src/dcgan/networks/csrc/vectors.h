/* Vectors of eight floats, products of a few rows by a panel, and tasks for as many threads as torch has.

   For CPUs with AVX2 and FMA, and compilers that know GCC's vectors. Elsewhere there is nothing in these files, and
   dcgan computes with torch alone (compiled.py). */

#ifndef DCGAN_VECTORS_H
#define DCGAN_VECTORS_H

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__linux__)
#define DCGAN_COMPILED

#include <stdatomic.h>
#include <string.h>

#pragma GCC target("avx2,fma")

typedef float v8 __attribute__((vector_size(32), aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 36")

#define ROWS 6   /* with two vectors of columns each: twelve sums in sixteen registers */
#define PANEL 16 /* columns: two vectors */
#define LINE 16  /* floats that memory brings at once */

/* sum += a b, where the sum is: left to itself GCC moves sums about, and some to memory and back. */
#define ADD(sum, a, b) __asm__("vfmadd231ps %1, %2, %0" : "+x"(sum) : "x"((v8)(a)), "x"((v8)(b)))

/* All lines of some floats, to be near the core when they are asked for. */
INLINE void fetch(const float *from, long floats) {
  for (long i = 0; i < floats; i += LINE) __builtin_prefetch(from + i, 0, 2);
}

/* `rows` rows by a panel: c = a b, or c += a b. Row i of a is at a + i a_row, in `blocks` of eight numbers, a_block
   apart; row i of c at c + i c_row, its second half c_half further. Every number is one sum in one order. Where rows of
   eight follow each other, what lies `ahead` is fetched. */
INLINE void multiplied(int rows, const float *a, long a_row, long a_block, const float *panel, float *c, long c_row,
                       long c_half, long blocks, int more, long ahead) {
  v8 sum[ROWS][2] = {{{0}}};
  for (long block = 0; block < blocks; block++, a += a_block)
    UNROLL for (int k = 0; k < 8; k++, panel += PANEL) {
      const v8 first = *(const v8 *)panel, second = *(const v8 *)(panel + 8);
      if (ahead && k * LINE < rows * 8) __builtin_prefetch(a + ahead + k * LINE, 0, 3);
      UNROLL for (int i = 0; i < rows; i++) {
        const v8 value = a[i * a_row + k] - (v8){0};
        ADD(sum[i][0], value, first);
        ADD(sum[i][1], value, second);
      }
    }
  UNROLL for (int i = 0; i < rows; i++)
    UNROLL for (int half = 0; half < 2; half++) {
      v8 *to = (v8 *)(c + i * c_row + half * c_half);
      if (more) *to += sum[i][half];
      else *to = sum[i][half];
    }
}

/* A call with its rows known to the compiler. */
#define BY_ROWS(rows, call)                  \
  switch (rows) {                            \
    case 6: { enum { R = 6 }; call; } break; \
    case 5: { enum { R = 5 }; call; } break; \
    case 4: { enum { R = 4 }; call; } break; \
    case 3: { enum { R = 3 }; call; } break; \
    case 2: { enum { R = 2 }; call; } break; \
    case 1: { enum { R = 1 }; call; } break; \
  }

/* GOMP_parallel, of the OpenMP that torch has loaded: its threads are the ones that are awake. */
typedef void (*Parallel)(void (*)(void *), void *, unsigned, unsigned);

/* A task of a pass, and memory of its thread's own. */
typedef void (*Task)(const void *pass, long task, float *spare);
typedef struct {
  const void *pass;
  Task task;
  long count, size;
  float *memory;
  atomic_long next, threads;
} Loop;

static void work(void *given) {
  Loop *loop = given;
  float *spare = loop->memory + atomic_fetch_add(&loop->threads, 1) * loop->size;
  for (long task; (task = atomic_fetch_add(&loop->next, 1)) < loop->count;) loop->task(loop->pass, task, spare);
}

/* Tasks 0 to count − 1, each by whoever is free; `size` floats of `memory` for each thread. */
static void in_parallel(const void *pass, Task task, long count, float *memory, long size, long threads,
                        Parallel parallel) {
  Loop loop = {pass, task, count, size, memory, 0, 0};
  if (threads > 1 && count > 1) parallel(work, &loop, (unsigned)threads, 0);
  else work(&loop);
}

#endif
#endif
