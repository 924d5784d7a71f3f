/* recurrent.h - one layer of a recurrent network in one direction, float in and out; design rule 18. What rnn_dynamic,
 * lstm_dynamic and gru_dynamic share: all but the cell. */
#ifndef QRT_RECURRENT_H
#define QRT_RECURRENT_H

#include "../barrier.h"
#include "../kernels/functions/functions.h"
#include "dynamic.h"

typedef struct qrt_recurrent qrt_recurrent;

/* The new hidden state of n units of one row, from their gates (of the input and of the hidden state), which lie one
 * behind the other, and the one before. `cell` is lstm's cell state, which becomes the new one. */
typedef void (*qrt_cell)(const qrt_recurrent *r, size_t n, const float *gx, const float *gh, const float *before,
                         float *cell, float *hidden);

struct qrt_recurrent {
  qrt_projection of_input, of_hidden;
  const qrt_functions_kernel *functions;
  qrt_cell cell;
  size_t steps, batch, gates, hidden; /* T, N, G * H, H */
  size_t block;                       /* steps whose gates of the input are made at a time */
  int reverse, per_step;
  int relu; /* of rnn */
  const float *input;
  const float *first[2]; /* hidden and cell state */
  float *output;
  float *last[2];
  size_t gx_at, gh_at; /* in scratch */
  size_t unit;         /* hidden units that a thread takes at a time, with all of their gates */
  uint32_t threads;
  qrt_barrier *barrier; /* where they wait for each other at each step */
  void (*yield)(void);
};

/* `states` is 2 with a cell state, else 1; `gates` is G. */
qrt_status qrt_check_recurrent(qrt_verify *v, const qrt_node *node, uint32_t states, int32_t gates);

/* Fills everything but the options, cell and relu, and asks for scratch. The options have to be there already. */
void qrt_bind_recurrent(qrt_binder *binder, const qrt_node *node, uint32_t states, qrt_recurrent *r, qrt_step *step);

#endif
