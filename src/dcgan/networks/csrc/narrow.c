/* The passes of a convolution of few maps, a picture's: a row of its kernel, all columns and maps, is at most sixteen
   numbers that follow each other in memory.

   Kernels for convolutions compute eight or sixteen maps at once, and stand nearly still over one or three. Here a
   vector is eight maps of the wide side, or a row of the kernel, and a picture with its zeros stays next to the core.

   Layout: maps are channels last; weights (O, C, k, k), as torch has them, here c maps narrow and o wide. Bits: as in
   tiles.c; the gradient by the weights is the sum over pictures, one after the other. */

#include "vectors.h"

#ifdef DCGAN_COMPILED

#define BAND 96 /* pixels of y that are summed up at once for the weights' gradient, near the core with all maps */

/* compiled.py fills this in: the same fields in the same order. */
typedef struct {
  long n, c, height, width, o, h, w;     /* x is (n, c, height, width), y (n, o, h, w) */
  long kernel, stride, top, left;        /* zeros above and left of x */
  long threads, spare;                   /* floats of spare memory for a thread */
  const float *x, *weight, *y;
  float *made, *panels, *memory;
  Parallel parallel;
} Pass;

/* Of a picture with its zeros: rows, and floats in a row and in all; of a row of the kernel: floats, and vectors. */
#define HIGH(p) ((p)->stride * ((p)->h - 1) + (p)->kernel)
#define WIDE(p) (((p)->stride * ((p)->w - 1) + (p)->kernel) * (p)->c)
#define WHOLE(p) (HIGH(p) * WIDE(p) + PANEL)
#define SPAN(p) ((p)->kernel * (p)->c)
#define VECTORS(p) ((SPAN(p) + 7) / 8)

/* As many as are left, in groups of six at most that are nearly of one size. */
#define GROUP(left) ((left) / (((left) + ROWS - 1) / ROWS))

/* A picture, between `whole` with zeros around it and x: there, or back. */
INLINE void picture(const Pass *p, float *whole, float *x, int back) {
  const long high = HIGH(p) - p->top < p->height ? HIGH(p) - p->top : p->height;
  const long columns = WIDE(p) / p->c - p->left, wide = columns < p->width ? columns : p->width;
  for (long row = 0; row < high; row++) {
    float *inside = whole + (row + p->top) * WIDE(p) + p->left * p->c, *line = x + row * p->width * p->c;
    if (wide > 0) memcpy(back ? line : inside, back ? inside : line, sizeof(float) * wide * p->c);
  }
}

/* y of R pixels in a row, `halves` vectors of maps. */
INLINE void pixels(const int rows, const int halves, const Pass *p, const float *x, const float *panel, float *y) {
  const long span = SPAN(p), down = WIDE(p), step = p->stride * p->c, o = p->o;
  v8 sum[ROWS][2] = {{{0}}};
  for (long u = 0; u < p->kernel; u++, x += down)
    for (long k = 0; k < span; k++, panel += PANEL) {
      v8 column[2];
      UNROLL for (int half = 0; half < halves; half++) column[half] = *(const v8 *)(panel + 8 * half);
      UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int half = 0; half < halves; half++) sum[i][half] += x[i * step + k] * column[half];
    }
  UNROLL for (int i = 0; i < rows; i++)
    UNROLL for (int half = 0; half < halves; half++) *(v8 *)(y + i * o + 8 * half) = sum[i][half];
}

static void forwards(const void *pass, long image, float *spare) {
  const Pass *p = pass;
  memset(spare, 0, sizeof(float) * WHOLE(p));
  picture(p, spare, (float *)p->x + image * p->height * p->width * p->c, 0);
  for (long row = 0; row < p->h; row++)
    for (long o = 0; o < p->o; o += PANEL)
      for (long column = 0, rows; column < p->w; column += rows) {
        const float *x = spare + row * p->stride * WIDE(p) + column * p->stride * p->c;
        const float *panel = p->panels + o * p->kernel * SPAN(p);
        float *y = p->made + ((image * p->h + row) * p->w + column) * p->o + o;
        rows = GROUP(p->w - column);
        if (p->o - o >= PANEL) BY_ROWS(rows, pixels(R, 2, p, x, panel, y))
        else BY_ROWS(rows, pixels(R, 1, p, x, panel, y))
      }
}

/* What R pixels of y add to x: two vectors of the kernel's rows, the first of them number `first` of all. */
INLINE void spread(const int rows, const Pass *p, const float *y, const float *panel, float *x, long first, int both) {
  float made[ROWS * PANEL] __attribute__((aligned(32)));
  multiplied(rows, y, p->o, 8, panel, made, PANEL, 8, p->o / 8, 0, 0);
  for (int half = 0; half <= both; half++) {
    float *to = x + (first + half) / VECTORS(p) * WIDE(p) + (first + half) % VECTORS(p) * 8;
    UNROLL for (int i = 0; i < rows; i++) *(v8 *)(to + i * p->stride * p->c) += *(v8 *)(made + i * PANEL + 8 * half);
  }
}

static void backwards(const void *pass, long image, float *spare) {
  const Pass *p = pass;
  const long all = p->kernel * VECTORS(p), size = p->height * p->width * p->c;
  memset(spare, 0, sizeof(float) * WHOLE(p));
  for (long row = 0; row < p->h; row++)
    for (long first = 0; first < all; first += 2)
      for (long column = 0, rows; column < p->w; column += rows) {
        const float *y = p->y + ((image * p->h + row) * p->w + column) * p->o;
        const float *panel = p->panels + first / 2 * p->o * PANEL;
        float *x = spare + row * p->stride * WIDE(p) + column * p->stride * p->c;
        rows = GROUP(p->w - column);
        BY_ROWS(rows, spread(R, p, y, panel, x, first, first + 1 < all))
      }
  memset(p->made + image * size, 0, sizeof(float) * size);
  picture(p, spare, p->made + image * size, 1);
}

/* R numbers of a kernel's row by `halves` vectors of maps, summed up over `high` rows of y. */
INLINE void summed(const int rows, const int halves, const Pass *p, const float *x, const float *y, long high,
                   float *to, int more) {
  const long down = p->stride * WIDE(p), step = p->stride * p->c, o = p->o, w = p->w;
  v8 sum[ROWS][2] = {{{0}}};
  for (long row = 0; row < high; row++)
    for (long column = 0; column < w; column++, y += o) {
      const float *at = x + row * down + column * step;
      v8 value[2];
      UNROLL for (int half = 0; half < halves; half++) value[half] = *(const v8 *)(y + 8 * half);
      UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int half = 0; half < halves; half++) sum[i][half] += at[i] * value[half];
    }
  UNROLL for (int i = 0; i < rows; i++)
    UNROLL for (int half = 0; half < halves; half++) {
      v8 *place = (v8 *)(to + i * o + 8 * half);
      if (more) *place += sum[i][half];
      else *place = sum[i][half];
    }
}

/* The gradient of one picture: (kernel, span, o), to its own place among the panels. */
static void kernels(const void *pass, long image, float *spare) {
  const Pass *p = pass;
  float *sums = p->panels + image * p->kernel * SPAN(p) * p->o;
  const long band = BAND / p->w > 0 ? BAND / p->w : 1;
  memset(spare, 0, sizeof(float) * WHOLE(p));
  picture(p, spare, (float *)p->x + image * p->height * p->width * p->c, 0);
  for (long row = 0; row < p->h; row += band)
    for (long u = 0; u < p->kernel; u++)
      for (long k = 0, rows; k < SPAN(p); k += rows) {
        rows = GROUP(SPAN(p) - k);
        for (long o = 0; o < p->o; o += PANEL) {
          const float *x = spare + (row * p->stride + u) * WIDE(p) + k;
          const float *y = p->y + (image * p->h + row) * p->w * p->o + o;
          const long high = p->h - row < band ? p->h - row : band;
          float *to = sums + (u * SPAN(p) + k) * p->o + o;
          if (p->o - o >= PANEL) BY_ROWS(rows, summed(R, 2, p, x, y, high, to, row > 0))
          else BY_ROWS(rows, summed(R, 1, p, x, y, high, to, row > 0))
        }
      }
}

/* Where the weight of maps o and k % c is, for number k of row u of the kernel. */
INLINE long place(const Pass *p, long o, long u, long k) {
  return ((o * p->c + k % p->c) * p->kernel + u) * p->kernel + k / p->c;
}

/* made: y (n, o, h, w), channels last. */
void dcgan_narrow_convolve(Pass *p) {
  float *to = p->panels;
  for (long o = 0; o < p->o; o += PANEL)
    for (long u = 0; u < p->kernel; u++)
      for (long k = 0; k < SPAN(p); k++)
        for (long lane = o; lane < o + PANEL; lane++) *to++ = lane < p->o ? p->weight[place(p, lane, u, k)] : 0;
  in_parallel(p, forwards, p->n, p->memory, p->spare, p->threads, p->parallel);
}

/* made: x (n, c, height, width), channels last. */
void dcgan_narrow_transpose(Pass *p) {
  float *to = p->panels;
  const long each = VECTORS(p);
  for (long first = 0; first < p->kernel * each; first += 2)
    for (long o = 0; o < p->o; o++)
      for (long lane = 0; lane < PANEL; lane++) {
        const long u = (first + lane / 8) / each, k = (first + lane / 8) % each * 8 + lane % 8;
        *to++ = u < p->kernel && k < SPAN(p) ? p->weight[place(p, o, u, k)] : 0;
      }
  in_parallel(p, backwards, p->n, p->memory, p->spare, p->threads, p->parallel);
}

/* made: the weight (o, c, k, k). */
void dcgan_narrow_kernel(Pass *p) {
  const long size = p->kernel * SPAN(p) * p->o;
  in_parallel(p, kernels, p->n, p->memory, p->spare, p->threads, p->parallel);
  for (long image = 1; image < p->n; image++)
    for (long i = 0; i < size; i++) p->panels[i] += p->panels[image * size + i];
  for (long u = 0; u < p->kernel; u++)
    for (long k = 0; k < SPAN(p); k++)
      for (long o = 0; o < p->o; o++) p->made[place(p, o, u, k)] = p->panels[(u * SPAN(p) + k) * p->o + o];
}

/* Floats of the panels of each pass, and of a thread's spare memory. */
void dcgan_narrow_sizes(const Pass *p, long *sizes) {
  sizes[0] = (p->o + PANEL - 1) / PANEL * PANEL * p->kernel * SPAN(p);
  sizes[1] = (p->kernel * VECTORS(p) + 1) / 2 * PANEL * p->o;
  sizes[2] = p->n * p->kernel * SPAN(p) * p->o;
  sizes[3] = WHOLE(p);
}

#endif
