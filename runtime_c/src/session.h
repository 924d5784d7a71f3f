/* session.h - what a session is. It lies at the start of its arena:
 *
 *   [ qrt_session | activations | steps | arguments and packed weights | scratch ]
 *
 * With QRT_COMPACT it keeps no steps; the rest is that of the one operator that runs:
 *
 *   [ qrt_session | activations | arguments, packed weights and scratch ]
 */
#ifndef QRT_SESSION_H
#define QRT_SESSION_H

#include "barrier.h"
#include "bind.h"

struct qrt_session {
  const qrt_model *model;
  uint8_t *activations;
  void (*on_operator)(void *user, const qrt_event *event);
  void *user;
#if QRT_COMPACT
  uint32_t isa;
  uint32_t work; /* where an operator's part of the arena begins */
#else
  const qrt_step *steps; /* one per operator */
  uint8_t *scratch;
  size_t scratch_stride; /* from one thread's to the next one's */
  uint32_t threads;
  const qrt_workers *workers; /* NULL with one thread */
  qrt_error *error;           /* of the run; thread 0 alone writes it */
  qrt_status status;
  const qrt_pack *packs;
  _Alignas(QRT_ALIGNMENT) qrt_barrier barrier; /* on a cache line that nobody else touches */
#endif
};

#endif
