/* qrt_image.c - a program with a model inside, where it is used in place: runs its test vectors. Exit status 0 if all
 * outputs are equal, to the last byte. */
#include "model.h"
#include "qrt.h"

#if QRT_HOSTED
#include <stdio.h>

static void print(const char *text) {
  fputs(text, stdout);
}
#else
#include "board.h"

static void print(const char *text) {
  qrt_board_print(text);
}
#endif

static _Alignas(QRT_ALIGNMENT) uint8_t arena[MODEL_ARENA_SIZE];

int main(void) {
  qrt_model file;
  qrt_session *session;
  qrt_error error;
  qrt_status status = qrt_model_open(&file, model, MODEL_SIZE, &error);
  if (status == QRT_OK) {
    status = qrt_session_open(&session, &file, NULL, arena, sizeof arena, &error);
  }
  if (status == QRT_OK) {
    status = qrt_session_self_test(session, NULL, &error);
  }
  print(status == QRT_OK ? "identical" : error.message[0] ? error.message : "failed");
  print("\n");
  return status != QRT_OK;
}
