/* session.h - what a session is. It lies at the start of its arena:
 *
 *   [ qrt_session | activations | steps | arguments and packed weights | scratch ]
 */
#ifndef QRT_SESSION_H
#define QRT_SESSION_H

#include "bind.h"

struct qrt_session {
  const qrt_model *model;
  uint8_t *activations;
  const qrt_step *steps; /* one per operator */
  void *scratch;
  const qrt_pack *packs;
  void (*on_operator)(void *user, const qrt_event *event);
  void *user;
};

#endif
