/* dwconv_pieces.h - a line of windows three pixels wide, of dilation 1, as pieces that no edge cuts.
 *
 * A window that reaches over an edge is one inside the input whose weights have moved: with three columns of zeros on
 * each side of its own, it sees those at `place` .. place + 2, and all of its own at QRT_DWCONV_WHOLE. */
#ifndef QRT_DWCONV_PIECES_H
#define QRT_DWCONV_PIECES_H

#include "dwconv.h"

enum { QRT_DWCONV_PLACES = 9, QRT_DWCONV_WHOLE = 3 };

/* `count` pixels of the output; the first one's window begins at this column of the input, at least three wide. */
typedef struct qrt_dwconv_piece {
  size_t count, column, place;
} qrt_dwconv_piece;

/* The piece that begins at pixel x of the output. */
static inline qrt_dwconv_piece qrt_dwconv_piece_at(const qrt_dwconv_shape *shape, size_t x) {
  const ptrdiff_t begin = (ptrdiff_t)(x * shape->stride) - (ptrdiff_t)shape->pad_left;
  const ptrdiff_t last = (ptrdiff_t)shape->in_w - 3, column = begin < 0 ? 0 : begin > last ? last : begin;
  const ptrdiff_t moved = begin - column < -3 ? -3 : begin - column > 3 ? 3 : begin - column;
  qrt_dwconv_piece piece = {1, (size_t)column, (size_t)(QRT_DWCONV_WHOLE - moved)};
  if (column == begin) {
    piece.count = (size_t)(last - column) / shape->stride + 1;
    piece.count = piece.count < shape->out_w - x ? piece.count : shape->out_w - x;
  }
  return piece;
}

/* Does a line consist of such pieces? Missing rows are replaced in `found` by one that is there: their weights have to
 * be zeros. */
static inline int qrt_dwconv_has_pieces(const qrt_dwconv_shape *shape, const int8_t *const *rows,
                                        const int8_t *found[3]) {
  if (shape->kh != 3 || shape->kw != 3 || shape->dilation != 1 || shape->in_w < 3) return 0;
  const int8_t *some = rows[0] ? rows[0] : rows[1] ? rows[1] : rows[2];
  for (size_t r = 0; r < 3; r++) found[r] = rows[r] ? rows[r] : some;
  return some != NULL;
}

#endif
