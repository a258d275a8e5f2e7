/* The passes of a convolution tile by tile, each in one go: what tiles.py says, for CPUs with AVX2 and FMA.

   tiles.py computes the same with torch, where what a transform makes goes to memory and comes back for the products,
   and again for what adds them up. Here a block of images is transformed, multiplied and put together while it is in
   cache, and weights are transformed by the panel that is about to be multiplied. Nothing is kept from pass to pass.

   Layout. Maps are channels last; weights (O, C, k, k), as torch has them. Values at a point q lie in blocks of eight
   maps: X[q][chunk of blocks][tile / group][block][tile % group][map % 8], so that a vector is eight maps of one tile.
   A chunk is as many blocks, a group as many tiles as a product takes at a time, so that it reads from end to end; where
   a product sums over tiles, all are one group. Maps of X are (C / 8, phase, 8): a vector has one phase.

   Bits. Each number is the same sum in the same order whatever the number of threads and whatever images are beside it.
   The gradient by the weights is added up by blocks of images, which follow from the shape. */

#include "lanes.h"
#include "vectors.h"

#ifdef DCGAN_COMPILED

#define MOST 6     /* points along a side */
#define TAPS_ALL 9 /* of a phase, at most */
#define PIXELS 81  /* of a kernel, at most: three taps of three phases, in both directions */
#define CHUNK 16   /* tiles that are transformed together, at most */
#define DEEP 32    /* blocks of maps that are summed up at once: a panel's weights for these stay next to the core */
#define ABREAST 12 /* blocks of X whose weights' gradients one task computes, at most: all phases of some maps */
#define OUTER 32   /* maps of Y that it takes at once */
#define SOON 6     /* maps of Y whose weights are fetched before they are asked for */
#define ODD 80     /* numbers between what lies a power of two apart, which else would share its place in cache */
#define SPACED (DEEP * 8 * PANEL + ODD)
#define SUMS (OUTER * ABREAST * 8 + ODD)

/* Where the values of X or Y are: the blocks of maps of a chunk, and the steps from chunk to chunk, from group to group
   and from point to point. */
typedef struct {
  long deep, chunk, group, point;
} Steps;

/* compiled.py fills this in: the same fields in the same order. */
typedef struct {
  long n, c, height, width, o, h, w;               /* x is (n, c, height, width), y (n, o, h, w) */
  long kernel, stride, top, left, taps;            /* zeros above and left of x; taps of a phase along a side */
  long down, right, images, threads, spare;        /* tiles; images a block; floats of spare memory for a thread */
  const float *x, *weight, *y, *zeros;             /* zeros: as many as x or y has maps */
  float *made, *X, *Y, *memory;
  Parallel parallel;
  long first, tiles, group;                        /* of this block: its first image, its tiles, those of a group */
  long spaced;                                     /* a tap's weights */
  Steps in, out;                                   /* of X and of Y */
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
#define TASK(name)                                                         \
  static void name(const void *pass, long task, float *spare) {            \
    const Pass *p = pass;                                                  \
    if (p->taps == 2) name##_of(p, task, spare, 2, INTO_5, TAPS_5, OUT_5); \
    else name##_of(p, task, spare, 3, INTO_6, TAPS_6, OUT_6);              \
  }
#define GIVEN \
  const Pass *p, long task, float *spare, const int taps, const float *INTO, const float *TAPS, const float *OUT
#define SIDE 4
#define POINTS (SIDE + taps - 1)

/* to[r] = Σ m[r][i] from[i]; m is stored with these steps between rows and columns, `to` with `step`. */
INLINE void along(const float *m, int rows, int columns, int down, int right, const v8 *from, v8 *to, int step) {
  UNROLL for (int r = 0; r < rows; r++) {
    v8 sum = {0};
    int begun = 0;
    UNROLL for (int i = 0; i < columns; i++) {
      const float factor = m[r * down + i * right];
      if (factor == 0) continue;
      if (!begun) sum = factor * from[i];
      else if (factor == 1) sum += from[i];
      else if (factor == -1) sum -= from[i];
      else sum += factor * from[i];
      begun = 1;
    }
    to[r * step] = sum;
  }
}

/* to(q) = m from(q) mᵀ, or +=, as `set` says. A column or a row after the other: all at once would be more than there
   are registers for, and GCC would begin by loading them all. */
#define ONE_BY_ONE __asm__ volatile("" ::: "memory")
#define TRANSFORM(to, set, m, rows, columns, down, right, from)                 \
  {                                                                             \
    v8 half[MOST * MOST], line[MOST];                                           \
    UNROLL for (int j = 0; j < columns; j++) {                                  \
      UNROLL for (int i = 0; i < columns; i++) line[i] = from(i * columns + j); \
      along(m, rows, columns, down, right, line, half + j, columns);            \
      ONE_BY_ONE;                                                               \
    }                                                                           \
    UNROLL for (int r = 0; r < rows; r++) {                                     \
      along(m, rows, columns, down, right, half + r * columns, line, 1);        \
      UNROLL for (int i = 0; i < rows; i++) to(r * rows + i) set line[i];       \
      ONE_BY_ONE;                                                               \
    }                                                                           \
  }
#define PIXEL(q) *(v8 *)(pixel[q] + 8 * block) /* of a map */
#define VALUE(q) *(v8 *)(value + (q) * point)  /* at a point */
#define TAP(tap) pixels[pixel[tap]]            /* of a kernel */

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

/* The end of the tiles from `from` that are transformed together: of one group, before `end`. */
INLINE long upto(const Pass *p, long from, long end) {
  const long group = p->group < CHUNK ? p->group : CHUNK, to = from + group - from % group;
  return to < end ? to : end;
}
/* Where a tile of a block of maps is. */
INLINE long where(const Pass *p, const Steps *s, long block, long tile) {
  return block / s->deep * s->chunk + tile / p->group * s->group + (block % s->deep * p->group + tile % p->group) * 8;
}

/* x → X: what each tile sees, at each point. */
INLINE void seen_of(GIVEN) {
  const float *at[CHUNK * MOST * MOST];
  const long from = task * upto(p, 0, CHUNK), to = upto(p, from, p->tiles);
  const long phases = p->stride * p->stride, point = p->in.point;
  for (long f = 0; f < phases; f++) {
    PLACES_X(from, to, p->x, p->zeros);
    for (long block = 0; block < p->c / 8; block++)
      for (long t = 0; t < to - from; t++) {
        const float **pixel = at + t * POINTS * POINTS;
        const float *value = p->X + where(p, &p->in, block * phases + f, from) + t * 8;
        TRANSFORM(VALUE, =, INTO, POINTS, POINTS, POINTS, 1, PIXEL)
      }
  }
}

/* The transpose, X → x of one image: what neighbouring tiles see is added up. */
INLINE void assembled_of(GIVEN) {
  const float *at[CHUNK * MOST * MOST];
  const long each = p->down * p->right, end = (task + 1) * each, size = p->height * p->width * p->c;
  const long phases = p->stride * p->stride, point = p->in.point;
  memset(p->made + (p->first + task) * size, 0, sizeof(float) * size);
  for (long from = task * each, to; from < end; from = to) {
    to = upto(p, from, end);
    for (long f = 0; f < phases; f++) {
      PLACES_X(from, to, p->made, spare);
      for (long block = 0; block < p->c / 8; block++)
        for (long t = 0; t < to - from; t++) {
          const float **pixel = at + t * POINTS * POINTS;
          const float *value = p->X + where(p, &p->in, block * phases + f, from) + t * 8;
          TRANSFORM(PIXEL, +=, INTO, POINTS, POINTS, 1, POINTS, VALUE)
        }
    }
  }
}

/* Y → y: the outputs of each tile. */
INLINE void outputs_of(GIVEN) {
  const float *at[CHUNK * SIDE * SIDE];
  const long from = task * upto(p, 0, CHUNK), to = upto(p, from, p->tiles), point = p->out.point;
  PLACES_Y(from, to, p->made, spare);
  for (long block = 0; block < p->o / 8; block++)
    for (long t = 0; t < to - from; t++) {
      const float **pixel = at + t * SIDE * SIDE, *value = p->Y + where(p, &p->out, block, from) + t * 8;
      TRANSFORM(PIXEL, =, OUT, SIDE, POINTS, POINTS, 1, VALUE)
    }
}

/* The transpose, y → Y. */
INLINE void told_of(GIVEN) {
  const float *at[CHUNK * SIDE * SIDE];
  const long from = task * upto(p, 0, CHUNK), to = upto(p, from, p->tiles), point = p->out.point;
  PLACES_Y(from, to, p->y, p->zeros);
  for (long block = 0; block < p->o / 8; block++)
    for (long t = 0; t < to - from; t++) {
      const float **pixel = at + t * SIDE * SIDE, *value = p->Y + where(p, &p->out, block, from) + t * 8;
      TRANSFORM(VALUE, =, OUT, POINTS, SIDE, 1, POINTS, PIXEL)
    }
}

/* The pixel of each tap of each phase; where the kernel has none, one of zeros beyond all. */
INLINE void pixels_of(const Pass *p, const int taps, int *pixel, v8 *pixels) {
  for (long f = 0; f < p->stride * p->stride; f++)
    for (int tap = 0; tap < taps * taps; tap++) {
      const long row = tap / taps * p->stride + f / p->stride, column = tap % taps * p->stride + f % p->stride;
      *pixel++ = row < p->kernel && column < p->kernel ? row * p->kernel + column : PIXELS;
    }
  pixels[PIXELS] = (v8){0};
}

/* Taps of a phase of eight kernels. */
INLINE void tapped(const Pass *p, const v8 *pixels, const int *pixel, const int taps, float *to) {
  UNROLL for (int tap = 0; tap < taps * taps; tap++) *(v8 *)(to + tap * p->spaced) = pixels[pixel[tap]];
}

/* The taps that count at a point, and how much. */
typedef struct {
  int count, tap[TAPS_ALL];
  float factor[TAPS_ALL];
} Counts;
INLINE Counts counts(int q, const int taps, const float *TAPS) {
  Counts some = {0};
  for (int tap = 0; tap < taps * taps; tap++) {
    const float factor = TAPS[q / POINTS * taps + tap / taps] * TAPS[q % POINTS * taps + tap % taps];
    if (factor == 0) continue;
    some.tap[some.count] = tap;
    some.factor[some.count++] = factor;
  }
  return some;
}

/* A panel at point q, of those of the taps, `step` apart. */
INLINE void mixed(const int count, const Counts *some, const float *from, long step, long vectors, float *panel) {
  for (long i = 0; i < vectors; i++) {
    v8 sum = some->factor[0] * *(const v8 *)(from + some->tap[0] * step + i * 8);
    UNROLL for (int n = 1; n < count; n++) sum += some->factor[n] * *(const v8 *)(from + some->tap[n] * step + i * 8);
    *(v8 *)(panel + i * 8) = sum;
  }
}
#define MIXED(n) case n: mixed(n, &some, from, step, vectors, panel); break;
INLINE void weighed(int q, const int taps, const float *TAPS, const float *from, long step, long vectors,
                    float *panel) {
  const Counts some = counts(q, taps, TAPS);
  switch (some.count) { MIXED(1) MIXED(2) MIXED(3) MIXED(4) MIXED(9) }
}

/* All tiles by a panel: `a` and `c` from group to group. */
INLINE void some(int rows, const float *a, long ahead, const float *panel, float *c, long blocks, int more) {
  UNROLL for (int i = 0; i < ROWS * PANEL; i += LINE) __builtin_prefetch(c + i, 1, 3);
  multiplied(rows, a, 8, ROWS * 8, panel, c, 8, ROWS * 8, blocks, more, ahead);
}
static void product(long tiles, const float *a, long group_a, const float *panel, float *c, long group_c, long blocks,
                    int more) {
  for (; tiles >= ROWS; tiles -= ROWS, a += group_a, c += group_c) some(ROWS, a, group_a, panel, c, blocks, more);
  BY_ROWS(tiles, some(R, a, group_a, panel, c, blocks, more))
}

/* All values of one side by a panel of weights, to a panel of the other side's, at each point. `taken` and `given` say
   where they are. `spare` has the weights of the taps, a map after the other. */
INLINE void products(GIVEN, const float *from, const Steps *taken, long blocks, float *to, const Steps *given) {
  float *panel = spare + taps * taps * p->spaced;
  for (int q = 0; q < POINTS * POINTS; q++, from += taken->point, to += given->point)
    for (long begin = 0; begin < blocks; begin += taken->deep) {
      const long deep = blocks - begin < taken->deep ? blocks - begin : taken->deep;
      weighed(q, taps, TAPS, spare + begin * 8 * PANEL, p->spaced, deep * PANEL, panel);
      product(p->tiles, from + where(p, taken, begin, 0), taken->group, panel,
              to + where(p, given, task * PANEL / 8, 0), given->group, deep, begin > 0);
    }
}

/* X → a panel of Y. */
INLINE void forwards_of(GIVEN) {
  const long square = p->kernel * p->kernel, phases = p->stride * p->stride;
  int pixel[PIXELS];
  v8 pixels[PIXELS + 1];
  pixels_of(p, taps, pixel, pixels);
  for (int half = 0; half < 2; half++)
    for (long c = 0; c < p->c; c++) {
      float *to = spare + (c / 8 * phases * 8 + c % 8) * PANEL + 8 * half;
      gathered(square, p->weight + ((task * PANEL + 8 * half) * p->c + c) * square, p->c * square, pixels);
      for (long f = 0; f < phases; f++) tapped(p, pixels, pixel + f * taps * taps, taps, to + f * 8 * PANEL);
    }
  products(p, task, spare, taps, INTO, TAPS, OUT, p->X, &p->in, phases * p->c / 8, p->Y, &p->out);
}

/* Y → a panel of X: two of its blocks, of the same maps or not. */
INLINE void backwards_of(GIVEN) {
  const long square = p->kernel * p->kernel, phases = p->stride * p->stride;
  int pixel[PIXELS];
  v8 pixels[PIXELS + 1];
  pixels_of(p, taps, pixel, pixels);
  for (long o = 0; o < p->o; o++)
    for (int half = 0; half < 2; half++) {
      const long c = (2 * task + half) / phases * 8, f = (2 * task + half) % phases;
      const float *weight = p->weight + (o * p->c + c) * square;
      if (half == 0 || f == 0) {
        fetch(weight + SOON * p->c * square, 8 * square);
        gathered(square, weight, square, pixels);
      }
      tapped(p, pixels, pixel + f * taps * taps, taps, spare + o * PANEL + 8 * half);
    }
  products(p, task, spare, taps, INTO, TAPS, OUT, p->Y, &p->out, p->o / 8, p->X, &p->in);
}

/* Four maps of Y by `beside` blocks of X, `step` apart, summed up over all tiles of this block of images. */
INLINE void summed(int beside, const float *y, const float *x, long step, long tiles, float *to) {
  v8 sum[4][3] = {{{0}}};
  for (long t = 0; t < tiles; t++) {
    v8 values[3];
    UNROLL for (int j = 0; j < beside; j++) values[j] = *(const v8 *)(x + j * step + t * 8);
    UNROLL for (int i = 0; i < 4; i++) {
      const v8 value = y[t * 8 + i] - (v8){0};
      UNROLL for (int j = 0; j < beside; j++) ADD(sum[i][j], value, values[j]);
    }
  }
  UNROLL for (int i = 0; i < 4; i++)
    UNROLL for (int j = 0; j < beside; j++) *(v8 *)(to + (i * ABREAST + j) * 8) = sum[i][j];
}

/* X and Y → the gradients of the weights between some maps of Y and some of x, with all their phases. */
#define WHOLE (ABREAST / (p->stride * p->stride) * p->stride * p->stride)
INLINE void kernels_of(GIVEN) {
  const long square = p->kernel * p->kernel, phases = p->stride * p->stride, parts = (p->o + OUTER - 1) / OUTER;
  const long first = task / parts * WHOLE, left = phases * p->c / 8 - first, beside = left < WHOLE ? left : WHOLE;
  const long begin = task % parts * OUTER, rows = p->o - begin < OUTER ? p->o - begin : OUTER;
  const long step = p->group * 8, each = step * 4 / rows;
  for (int q = 0; q < POINTS * POINTS; q++) {
    const float *X = p->X + q * p->in.point + first * step, *Y = p->Y + q * p->out.point + begin / 8 * step;
    for (long j = 0; j < beside; j += 3) {
      const int last = j + 3 >= beside;
      const float *ahead = last ? X + p->in.point : X + (j + 3) * step, *x = X + j * step;
      for (long o = 0; o < rows; o += 4, ahead += each) { /* what comes after, a part each time */
        const float *y = Y + o / 8 * step + o % 8;
        float *to = spare + q * SUMS + (o * ABREAST + j) * 8;
        for (int i = 0; i < 3; i++) fetch(ahead + i * step, each);
        if (last) fetch(Y + p->out.point + o / 4 * (step / 2), step / 2);
        if (beside - j >= 3) summed(3, y, x, step, p->tiles, to);
        else if (beside - j == 2) summed(2, y, x, step, p->tiles, to);
        else summed(1, y, x, step, p->tiles, to);
      }
    }
  }
  const long point = SUMS;
  int pixel_of[PIXELS];
  v8 pixels[PIXELS + 1], before[PIXELS];
  pixels_of(p, taps, pixel_of, pixels);
  for (long o = 0; o < rows; o++)
    for (long j = 0; j < beside; j += phases) {
      float *to = p->made + ((begin + o) * p->c + (first + j) / phases * 8) * square;
      for (long f = 0; f < phases; f++) {
        const int *pixel = pixel_of + f * taps * taps;
        const float *value = spare + (o * ABREAST + j + f) * 8;
        TRANSFORM(TAP, =, TAPS, taps, POINTS, 1, taps, VALUE)
      }
      if (p->first) { /* what the images before gave is there */
        gathered(square, to, square, before);
        for (long i = 0; i < square; i++) pixels[i] += before[i];
      }
      scattered(square, pixels, to, square);
    }
}

TASK(seen) TASK(assembled) TASK(outputs) TASK(told) TASK(forwards) TASK(backwards) TASK(kernels)

static void all(const Pass *p, Task task, long count) {
  in_parallel(p, task, count, p->memory, p->spare, p->threads, p->parallel);
}

/* Blocks of maps in chunks of an even number, alike and no larger than need be. */
static void steps(const Pass *p, long blocks, Steps *s) {
  const long chunks = (blocks + DEEP - 1) / DEEP;
  s->deep = ((blocks + chunks - 1) / chunks + 1) / 2 * 2;
  s->group = s->deep * p->group * 8;
  s->chunk = (p->tiles + p->group - 1) / p->group * s->group;
  s->point = (blocks + s->deep - 1) / s->deep * s->chunk + ODD;
}

/* The next block of images, from none, in groups of rows or, where `whole`, in one; whether there is one. */
static int next(Pass *p, int whole) {
  p->first += p->tiles / (p->down * p->right);
  const long left = p->n - p->first, maps = p->stride * p->stride * p->c;
  p->tiles = (left < p->images ? left : p->images) * p->down * p->right;
  p->group = whole ? p->tiles | 1 : ROWS;
  steps(p, maps / 8, &p->in), steps(p, p->o / 8, &p->out);
  p->spaced = (maps > p->o ? maps : p->o) * PANEL + ODD;
  return left > 0;
}

#define CHUNKS ((p->tiles + upto(p, 0, CHUNK) - 1) / upto(p, 0, CHUNK))
#define BLOCKS (p->stride * p->stride * p->c / 8)
#define PARTS ((BLOCKS + WHOLE - 1) / WHOLE * ((p->o + OUTER - 1) / OUTER))

const long dcgan_compiled = 2; /* VERSION of compiled.py */
const char *const dcgan_compiler = __VERSION__;

/* made: y (n, o, h, w), channels last. */
void dcgan_tiles_convolve(const Pass *given) {
  Pass block = *given, *p = &block;
  while (next(p, 0)) {
    all(p, seen, CHUNKS);
    all(p, forwards, p->o / PANEL);
    all(p, outputs, CHUNKS);
  }
}

/* made: x (n, c, height, width), channels last. */
void dcgan_tiles_transpose(const Pass *given) {
  Pass block = *given, *p = &block;
  while (next(p, 0)) {
    all(p, told, CHUNKS);
    all(p, backwards, BLOCKS * 8 / PANEL);
    all(p, assembled, p->tiles / (p->down * p->right));
  }
}

/* made: the weight (o, c, k, k). */
void dcgan_tiles_kernel(const Pass *given) {
  Pass block = *given, *p = &block;
  while (next(p, 1)) {
    all(p, seen, CHUNKS);
    all(p, told, CHUNKS);
    all(p, kernels, PARTS);
  }
}

/* Floats of X, of Y and of a thread's spare memory, for a block of as many images as there are in one. */
void dcgan_tiles_sizes(const Pass *p, long *sizes) {
  const long points = (SIDE + p->taps - 1) * (SIDE + p->taps - 1), maps = p->c > p->o ? p->c : p->o;
  sizes[0] = sizes[1] = 0;
  for (int whole = 0; whole < 2; whole++) {
    Pass block = *p;
    next(&block, whole);
    if (sizes[0] < points * block.in.point) sizes[0] = points * block.in.point;
    if (sizes[1] < points * block.out.point) sizes[1] = points * block.out.point;
    sizes[2] = p->taps * p->taps * block.spaced + SPACED; /* the same for both */
  }
  if (sizes[2] < points * SUMS) sizes[2] = points * SUMS;
  if (sizes[2] < maps) sizes[2] = maps;
}

#endif
