/* The passes of a convolution tile by tile, each in one go: what tiles.py says, for CPUs with AVX2 and FMA.

   tiles.py computes the same with torch, where what a transform makes goes to memory and comes back for the products,
   and again for what adds them up. Here a block of images is transformed, multiplied and put together while it is in
   cache, and weights are transformed by the panel that is about to be multiplied. Nothing is kept from pass to pass.

   Layout. Maps are channels last; weights (O, C, k, k), as torch has them. Values at a point q lie in blocks of eight
   maps: X[q][map / 8][tile][map % 8], so that a vector is eight maps of one tile, a panel of tiles is read from end to
   end, and a product over tiles takes them as they are. Maps of X are (C / 8, phase, 8): a vector has one phase.

   Bits. Each number is the same sum in the same order whatever the number of threads and whatever images are beside it.
   The gradient by the weights is added up by blocks of images, which follow from the shape. */

#include "vectors.h"

#ifdef DCGAN_COMPILED

#define MOST 6     /* points along a side */
#define CHUNK 16   /* tiles that are transformed together */
#define DEEP 32    /* blocks of maps that are summed up at once: a panel's weights for these stay next to the core */
#define ABREAST 12 /* blocks of X whose weights' gradients one task computes: all phases of three times eight maps */
#define OUTER 32   /* maps of Y that it takes at once */
#define ODD 80     /* numbers between what lies a power of two apart, which else would share its place in cache */
#define SPACED (DEEP * 8 * PANEL + ODD)
#define SUMS (OUTER * ABREAST * 8 + ODD)

/* compiled.py fills this in: the same fields in the same order. */
typedef struct {
  long n, c, height, width, o, h, w;               /* x is (n, c, height, width), y (n, o, h, w) */
  long kernel, stride, top, left, taps;            /* zeros above and left of x; taps of a phase along a side */
  long down, right, images, threads, spare;        /* tiles; images a block; floats of spare memory for a thread */
  const float *x, *weight, *y, *zeros;             /* zeros: as many as x or y has maps */
  float *made, *X, *Y, *memory;
  Parallel parallel;
  long first, tiles, apart, point_x, point_y;     /* of this block: its first image, its tiles, and steps in X and Y */
} Pass;

/* For tiles of 4×4: B (points, points), G (points, taps) and Aᵀ (4, points), of the points in tiles.py. */
static const float INTO_5[] = {-.5, -1, .5, 1, 0, 0, .5, 1.5, 1, 0, 0, -.5, -.5,
                               1, 0, 0, -1, 0, 1, 0, 0, -.5, -1, .5, 1};
static const float TAPS_5[] = {-2, 0, 1 / 3., 1 / 3., -1, 1, 8 / 3., -4 / 3., 0, 1};
static const float OUT_5[] = {1, 1, 1, 1, 0, 0, 1, -1, -.5, 0, 0, 1, 1, .25, 0, 0, 1, -1, -.125, 1};
static const float INTO_6[] = {1, 1.5, -2, -1.5, 1, 0, 0, -1, -2.5, -.5, 1, 0, 0, 1, .5, -2.5, 1, 0,
                               0, 2, -1, -2, 1, 0, 0, -.5, -1, .5, 1, 0, 0, 1, 1.5, -2, -1.5, 1};
static const float TAPS_6[] = {1, 0, 0, -1 / 3., -1 / 3., -1 / 3., 1 / 3., -1 / 3., 1 / 3.,
                               -16 / 15., 8 / 15., -4 / 15., 1 / 15., 2 / 15., 4 / 15., 0, 0, 1};
static const float OUT_6[] = {1, 1, 1, 1, 1, 0, 0, 1, -1, -.5, 2, 0, 0, 1, 1, .25, 4, 0, 0, 1, -1, -.125, 8, 1};

/* A task for either number of taps, with all loops and matrices known to the compiler. */
#define TASK(name)                                                        \
  static void name(const void *pass, long task, float *spare) {              \
    const Pass *p = pass;                                                    \
    if (p->taps == 2) name##_of(p, task, spare, 2, INTO_5, TAPS_5, OUT_5);    \
    else name##_of(p, task, spare, 3, INTO_6, TAPS_6, OUT_6);                 \
  }
#define GIVEN \
  const Pass *p, long task, float *spare, const int taps, const float *INTO, const float *TAPS, const float *OUT
#define SIDE 4
#define POINTS (SIDE + taps - 1)

/* to[r] = Σ m[r][i] from[i], for vectors `step` apart; m is stored with these steps between rows and columns. */
INLINE void along(const float *m, int rows, int columns, int down, int right, const v8 *from, v8 *to, int step,
                  int step_to) {
  UNROLL for (int r = 0; r < rows; r++) {
    v8 sum = {0};
    int begun = 0;
    UNROLL for (int i = 0; i < columns; i++) {
      const float factor = m[r * down + i * right];
      const v8 value = from[i * step];
      if (factor == 0) continue;
      if (!begun) sum = factor * value;
      else if (factor == 1) sum += value;
      else if (factor == -1) sum -= value;
      else sum += factor * value;
      begun = 1;
    }
    to[r * step_to] = sum;
  }
}

/* to = m from mᵀ: in both directions. */
INLINE void transform(const float *m, int rows, int columns, int down, int right, const v8 *from, v8 *to) {
  v8 half[MOST * MOST];
  UNROLL for (int j = 0; j < columns; j++) along(m, rows, columns, down, right, from + j, half + j, columns, columns);
  UNROLL for (int r = 0; r < rows; r++) along(m, rows, columns, down, right, half + r * columns, to + r * rows, 1, 1);
}

/* Where the pixels of some tiles are: `side`² each, `step` apart, the first at (row, column) of the first tile;
   `outside` for those that are not in the map. */
INLINE void places(const Pass *p, long from, long to, const float *maps, const float *outside, long height, long width,
                   long depth, int side, long step, long row0, long column0, const float **at) {
  for (long t = from; t < to; t++) {
    const long image = p->first + t / (p->down * p->right), i = t / p->right % p->down, j = t % p->right;
    for (int u = 0; u < side; u++) {
      const long row = step * (SIDE * i + u) + row0;
      const float *line = maps + (image * height + row) * width * depth;
      for (int v = 0; v < side; v++) {
        const long column = step * (SIDE * j + v) + column0;
        *at++ = row >= 0 && row < height && column >= 0 && column < width ? line + column * depth : outside;
      }
    }
  }
}
#define PLACES_X(from, to, maps, outside) \
  places(p, from, to, maps, outside, p->height, p->width, p->c, POINTS, p->stride, f / p->stride - p->top, \
         f % p->stride - p->left, at)
#define PLACES_Y(from, to, maps, outside) places(p, from, to, maps, outside, p->h, p->w, p->o, SIDE, 1, 0, 0, at)

/* x → X: what each tile sees, at each point. */
INLINE void seen_of(GIVEN) {
  const float *at[CHUNK * MOST * MOST];
  const long from = task * CHUNK, to = from + CHUNK < p->tiles ? from + CHUNK : p->tiles;
  const long phases = p->stride * p->stride;
  for (long f = 0; f < phases; f++) {
    PLACES_X(from, to, p->x, p->zeros);
    for (long block = 0; block < p->c / 8; block++)
      for (long t = from; t < to; t++) {
        v8 values[MOST * MOST], made[MOST * MOST];
        UNROLL for (int q = 0; q < POINTS * POINTS; q++)
          values[q] = *(const v8 *)(at[(t - from) * POINTS * POINTS + q] + 8 * block);
        transform(INTO, POINTS, POINTS, POINTS, 1, values, made);
        float *place = p->X + ((block * phases + f) * p->apart + t) * 8;
        UNROLL for (int q = 0; q < POINTS * POINTS; q++) *(v8 *)(place + q * p->point_x) = made[q];
      }
  }
}

/* The transpose, X → x of one image: what neighbouring tiles see is added up. */
INLINE void assembled_of(GIVEN) {
  const float *at[CHUNK * MOST * MOST];
  const long each = p->down * p->right, end = (task + 1) * each, size = p->height * p->width * p->c;
  const long phases = p->stride * p->stride;
  memset(p->made + (p->first + task) * size, 0, sizeof(float) * size);
  for (long from = task * each; from < end; from += CHUNK)
    for (long f = 0; f < phases; f++) {
      const long to = from + CHUNK < end ? from + CHUNK : end;
      PLACES_X(from, to, p->made, spare);
      for (long block = 0; block < p->c / 8; block++)
        for (long t = from; t < to; t++) {
          v8 values[MOST * MOST], made[MOST * MOST];
          const float *place = p->X + ((block * phases + f) * p->apart + t) * 8;
          UNROLL for (int q = 0; q < POINTS * POINTS; q++) values[q] = *(const v8 *)(place + q * p->point_x);
          transform(INTO, POINTS, POINTS, 1, POINTS, values, made);
          UNROLL for (int q = 0; q < POINTS * POINTS; q++)
            *(v8 *)(at[(t - from) * POINTS * POINTS + q] + 8 * block) += made[q];
        }
    }
}

/* Y → y: the outputs of each tile. */
INLINE void outputs_of(GIVEN) {
  const float *at[CHUNK * SIDE * SIDE];
  const long from = task * CHUNK, to = from + CHUNK < p->tiles ? from + CHUNK : p->tiles;
  PLACES_Y(from, to, p->made, spare);
  for (long block = 0; block < p->o / 8; block++)
    for (long t = from; t < to; t++) {
      v8 values[MOST * MOST], made[SIDE * SIDE];
      const float *place = p->Y + (block * p->apart + t) * 8;
      UNROLL for (int q = 0; q < POINTS * POINTS; q++) values[q] = *(const v8 *)(place + q * p->point_y);
      transform(OUT, SIDE, POINTS, POINTS, 1, values, made);
      UNROLL for (int q = 0; q < SIDE * SIDE; q++) *(v8 *)(at[(t - from) * SIDE * SIDE + q] + 8 * block) = made[q];
    }
}

/* The transpose, y → Y. */
INLINE void told_of(GIVEN) {
  const float *at[CHUNK * SIDE * SIDE];
  const long from = task * CHUNK, to = from + CHUNK < p->tiles ? from + CHUNK : p->tiles;
  PLACES_Y(from, to, p->y, p->zeros);
  for (long block = 0; block < p->o / 8; block++)
    for (long t = from; t < to; t++) {
      v8 values[SIDE * SIDE], made[MOST * MOST];
      UNROLL for (int q = 0; q < SIDE * SIDE; q++)
        values[q] = *(const v8 *)(at[(t - from) * SIDE * SIDE + q] + 8 * block);
      transform(OUT, POINTS, SIDE, 1, POINTS, values, made);
      float *place = p->Y + (block * p->apart + t) * 8;
      UNROLL for (int q = 0; q < POINTS * POINTS; q++) *(v8 *)(place + q * p->point_y) = made[q];
    }
}

/* The weights of eight pairs of maps in phase f, the first at `weight` and the others `step` apart, at each point. */
INLINE void weighed(const Pass *p, const float *weight, long step, long f, const int taps, const float *TAPS,
                    float *to) {
  v8 values[MOST * MOST], made[MOST * MOST];
  UNROLL for (int u = 0; u < taps; u++)
    UNROLL for (int v = 0; v < taps; v++) {
      const long row = p->stride * u + f / p->stride, column = p->stride * v + f % p->stride;
      const float *w = weight + row * p->kernel + column;
      v8 some = {0};
      if (row < p->kernel && column < p->kernel)
        some = (v8){w[0], w[step], w[2 * step], w[3 * step], w[4 * step], w[5 * step], w[6 * step], w[7 * step]};
      values[u * taps + v] = some;
    }
  transform(TAPS, POINTS, taps, taps, 1, values, made);
  UNROLL for (int q = 0; q < POINTS * POINTS; q++) *(v8 *)(to + q * SPACED) = made[q];
}

/* All tiles by a panel. */
INLINE void some(int rows, const Pass *p, long t, const float *a, const float *panel, float *c, long blocks, int more) {
  multiplied(rows, a + t * 8, 8, p->apart * 8, panel, c + t * 8, 8, p->apart * 8, blocks, more);
}
static void product(const Pass *p, const float *a, const float *panel, float *c, long blocks, int more) {
  long t = 0;
  for (; t + ROWS <= p->tiles; t += ROWS) some(ROWS, p, t, a, panel, c, blocks, more);
  BY_ROWS(p->tiles - t, some(R, p, t, a, panel, c, blocks, more))
}

/* X → a panel of Y. */
INLINE void forwards_of(GIVEN) {
  const long square = p->kernel * p->kernel, phases = p->stride * p->stride, all = phases * p->c / 8;
  for (long begin = 0; begin < all; begin += DEEP) {
    const long blocks = all - begin < DEEP ? all - begin : DEEP;
    for (int half = 0; half < 2; half++)
      for (long map = 0; map < blocks * 8; map++) {
        const long o = task * PANEL + 8 * half, block = begin + map / 8;
        const long c = block / phases * 8 + map % 8, f = block % phases;
        weighed(p, p->weight + (o * p->c + c) * square, p->c * square, f, taps, TAPS, spare + map * PANEL + 8 * half);
      }
    for (int q = 0; q < POINTS * POINTS; q++)
      product(p, p->X + q * p->point_x + begin * p->apart * 8, spare + q * SPACED,
              p->Y + q * p->point_y + task * PANEL * p->apart, blocks, begin > 0);
  }
}

/* Y → a panel of X: two of its blocks. */
INLINE void backwards_of(GIVEN) {
  const long square = p->kernel * p->kernel, phases = p->stride * p->stride, all = p->o / 8;
  for (long begin = 0; begin < all; begin += DEEP) {
    const long blocks = all - begin < DEEP ? all - begin : DEEP;
    for (long map = 0; map < blocks * 8; map++)
      for (int half = 0; half < 2; half++) {
        const long o = begin * 8 + map, c = (2 * task + half) / phases * 8, f = (2 * task + half) % phases;
        weighed(p, p->weight + (o * p->c + c) * square, square, f, taps, TAPS, spare + map * PANEL + 8 * half);
      }
    for (int q = 0; q < POINTS * POINTS; q++)
      product(p, p->Y + q * p->point_y + begin * p->apart * 8, spare + q * SPACED,
              p->X + q * p->point_x + task * PANEL * p->apart, blocks, begin > 0);
  }
}

/* Four maps of Y by `beside` blocks of X, summed up over all tiles of this block of images. */
INLINE void summed(const Pass *p, int beside, const float *y, const float *x, float *to) {
  v8 sum[4][3] = {{{0}}};
  for (long t = 0, tiles = p->tiles, apart = p->apart; t < tiles; t++) {
    v8 values[3];
    UNROLL for (int j = 0; j < beside; j++) values[j] = *(const v8 *)(x + (j * apart + t) * 8);
    UNROLL for (int i = 0; i < 4; i++)
      UNROLL for (int j = 0; j < beside; j++) sum[i][j] += y[t * 8 + i] * values[j];
  }
  UNROLL for (int i = 0; i < 4; i++)
    UNROLL for (int j = 0; j < beside; j++) *(v8 *)(to + (i * ABREAST + j) * 8) = sum[i][j];
}

/* X and Y → the gradients of the weights between all maps of Y and some of x. */
INLINE void kernels_of(GIVEN) {
  const long square = p->kernel * p->kernel, phases = p->stride * p->stride, parts = (p->o + OUTER - 1) / OUTER;
  const long first = task / parts * ABREAST, left = phases * p->c / 8 - first, beside = left < ABREAST ? left : ABREAST;
  const long begin = task % parts * OUTER, rows = p->o - begin < OUTER ? p->o - begin : OUTER;
  for (int q = 0; q < POINTS * POINTS; q++)
    for (long j = 0; j < beside; j += 3)
      for (long o = 0; o < rows; o += 4) {
        const float *y = p->Y + q * p->point_y + (begin + o) / 8 * 8 * p->apart + o % 8;
        const float *x = p->X + q * p->point_x + (first + j) * 8 * p->apart;
        float *to = spare + q * SUMS + (o * ABREAST + j) * 8;
        if (beside - j >= 3) summed(p, 3, y, x, to);
        else if (beside - j == 2) summed(p, 2, y, x, to);
        else summed(p, 1, y, x, to);
      }
  for (long o = 0; o < rows; o++)
    for (long j = 0; j < beside; j++) {
      const long c = (first + j) / phases * 8, f = (first + j) % phases;
      v8 values[MOST * MOST], made[MOST * MOST];
      UNROLL for (int q = 0; q < POINTS * POINTS; q++)
        values[q] = *(const v8 *)(spare + q * SUMS + (o * ABREAST + j) * 8);
      transform(TAPS, taps, POINTS, 1, taps, values, made);
      UNROLL for (int u = 0; u < taps; u++)
        UNROLL for (int v = 0; v < taps; v++) {
          const long row = p->stride * u + f / p->stride, column = p->stride * v + f % p->stride;
          float *to = p->made + ((begin + o) * p->c + c) * square + row * p->kernel + column;
          if (row < p->kernel && column < p->kernel)
            UNROLL for (int map = 0; map < 8; map++)
              to[map * square] = made[u * taps + v][map] + (p->first ? to[map * square] : 0);
        }
    }
}

TASK(seen) TASK(assembled) TASK(outputs) TASK(told) TASK(forwards) TASK(backwards) TASK(kernels)

static void all(const Pass *p, Task task, long count) {
  in_parallel(p, task, count, p->memory, p->spare, p->threads, p->parallel);
}

/* The next block of images, from none; whether there is one. */
static int next(Pass *p) {
  p->first += p->tiles / (p->down * p->right);
  const long left = p->n - p->first;
  p->tiles = (left < p->images ? left : p->images) * p->down * p->right;
  p->apart = p->tiles | 1;
  p->point_x = p->stride * p->stride * p->c * p->apart + ODD, p->point_y = p->o * p->apart + ODD;
  return left > 0;
}

#define CHUNKS ((p->tiles + CHUNK - 1) / CHUNK)
#define BLOCKS (p->stride * p->stride * p->c / 8)
#define PARTS ((BLOCKS + ABREAST - 1) / ABREAST * ((p->o + OUTER - 1) / OUTER))

const long dcgan_compiled = 1; /* VERSION of compiled.py */
const char *const dcgan_compiler = __VERSION__;

/* made: y (n, o, h, w), channels last. */
void dcgan_tiles_convolve(Pass *p) {
  while (next(p)) {
    all(p, seen, CHUNKS);
    all(p, forwards, p->o / PANEL);
    all(p, outputs, CHUNKS);
  }
}

/* made: x (n, c, height, width), channels last. */
void dcgan_tiles_transpose(Pass *p) {
  while (next(p)) {
    all(p, told, CHUNKS);
    all(p, backwards, BLOCKS * 8 / PANEL);
    all(p, assembled, p->tiles / (p->down * p->right));
  }
}

/* made: the weight (o, c, k, k). */
void dcgan_tiles_kernel(Pass *p) {
  while (next(p)) {
    all(p, seen, CHUNKS);
    all(p, told, CHUNKS);
    all(p, kernels, PARTS);
  }
}

/* Floats of X, of Y and of a thread's spare memory, for a block of as many images as there are in one. */
void dcgan_tiles_sizes(const Pass *p, long *sizes) {
  Pass block = *p;
  next(&block);
  const long points = (SIDE + p->taps - 1) * (SIDE + p->taps - 1), maps = p->c > p->o ? p->c : p->o;
  sizes[0] = points * block.point_x;
  sizes[1] = points * block.point_y;
  sizes[2] = points * (SPACED > SUMS ? SPACED : SUMS);
  if (sizes[2] < maps) sizes[2] = maps;
}

#endif
