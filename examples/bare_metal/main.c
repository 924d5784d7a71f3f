/* main.c - a model on a microcontroller: from flash, in static memory, without an operating system. Prints the class of
 * a made-up image, then whether the model's own test vectors give the bytes that the workstation saw. */
#include "board.h"
#include "model.h"
#include "qrt.h"

enum { PIXELS = 8 * 8, CLASSES = 10 };

static _Alignas(QRT_ALIGNMENT) uint8_t arena[MODEL_ARENA_SIZE];

static int fail(const qrt_error *error) {
  qrt_board_print(error->message[0] ? error->message : qrt_status_text(error->status));
  qrt_board_print("\n");
  return 1;
}

/* What a camera would give: a bright diagonal. */
static void make_image(float *image) {
  for (int i = 0; i < PIXELS; ++i) {
    image[i] = i / 8 == i % 8 ? 1.0f : 0.0f;
  }
}

int main(void) {
  static float image[PIXELS];
  qrt_model file;
  qrt_session *session;
  qrt_error error;
  if (qrt_model_open(&file, model, MODEL_SIZE, &error) ||
      qrt_session_open(&session, &file, NULL, arena, sizeof arena, &error)) {
    return fail(&error);
  }
  make_image(image);
  if (qrt_session_set_input(session, 0, image, sizeof image, &error) || qrt_session_run(session, &error)) {
    return fail(&error);
  }
  const float *scores = qrt_session_output(session, 0);
  int best = 0;
  for (int i = 1; i < CLASSES; ++i) {
    best = scores[i] > scores[best] ? i : best;
  }
  const char text[] = {'c', 'l', 'a', 's', 's', ' ', (char)('0' + best), '\n', '\0'};
  qrt_board_print(text);
  if (qrt_session_self_test(session, NULL, &error)) {
    return fail(&error);
  }
  qrt_board_print("self-test: identical\n");
  return 0;
}
