/* graph.c - the operators as a program: every operand is ready when it is read, every activation is written once, and
 * nothing that is still needed is overwritten. See "Rules for the writer" in qsdk.fbs: the file carries, for each
 * operator, the list of what is live after it, and checking such a list takes one pass and no memory. */
#include "ops/op.h"

typedef struct walk {
  qrt_verify *v;
  const qrt_model *model;
  uint32_t next;         /* tensors below are constants, or activations that have been written */
  uint32_t first_output; /* activations below are graph inputs */
  uint32_t live;         /* position of the last operator's list of live tensors, and its length */
  uint32_t live_count;
  int started;  /* an operator has run: the list is valid; before, all graph inputs are live */
  uint64_t end; /* of the last tensor in the arena */
} walk;

static int is_activation(const qrt_model *model, uint32_t tensor) {
  uint32_t table = qrt_tensor_table(model, tensor);
  return qrt_flat_byte(model->file, table, QRT_FIELD(Tensor, kind)) == QRT_FB_TensorKind_activation;
}

static uint32_t at(const qrt_model *model, uint32_t vector, uint32_t i) {
  return qrt_load32(model->file + vector + 4 * i);
}

/* The next activation in the order of the tensors; tensor_count when there is none. */
static uint32_t next_activation(walk *w) {
  while (w->next < w->model->tensor_count && !is_activation(w->model, w->next)) {
    ++w->next;
  }
  return w->next < w->model->tensor_count ? w->next++ : w->next;
}

static void note_end(walk *w, const qrt_tensor *tensor) {
  if (tensor->offset + tensor->size > w->end) {
    w->end = tensor->offset + tensor->size;
  }
}

static int overlap(const qrt_tensor *a, const qrt_tensor *b) {
  return a->offset < b->offset + b->size && b->offset < a->offset + a->size;
}

/* Is the activation live? The list is in ascending order of offset, and no two tensors in it overlap. */
static int is_live(const walk *w, const qrt_tensor *tensor) {
  if (!w->started) {
    return tensor->index < w->first_output;
  }
  uint32_t low = 0, high = w->live_count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2, index = at(w->model, w->live, middle);
    if (index == tensor->index) {
      return 1;
    }
    if (qrt_flat_ulong(w->model->file, qrt_tensor_table(w->model, index), QRT_FIELD(Tensor, offset)) < tensor->offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return 0;
}

static qrt_status verify_graph_inputs(walk *w) {
  const qrt_model *model = w->model;
  for (uint32_t i = 0; i < model->input_count; ++i) {
    uint32_t index = at(model, model->inputs, i), expected = next_activation(w);
    qrt_tensor tensor, other;
    if (index >= model->tensor_count || index != expected) {
      return QRT_FAIL(w->v->error, QRT_ERROR_FIELD, "inputs[%u]: tensor %u, but the next activation is %u of %u", i,
                      index, expected, model->tensor_count);
    }
    qrt_tensor_read(model, index, &tensor);
    note_end(w, &tensor);
    for (uint32_t j = 0; j < i; ++j) {
      qrt_tensor_read(model, at(model, model->inputs, j), &other);
      if (overlap(&tensor, &other)) {
        return QRT_FAIL(w->v->error, QRT_ERROR_FIELD, "inputs[%u] and inputs[%u] overlap in the arena", j, i);
      }
    }
  }
  w->first_output = w->next;
  return QRT_OK;
}

static qrt_status verify_counts(const walk *w, const qrt_node *node, const qrt_op *op) {
  if (node->input_count < op->least_inputs || node->input_count > op->most_inputs) {
    return QRT_NODE_FAIL(w->v, node, QRT_ERROR_FIELD, "%u inputs, not %u..%u", node->input_count, op->least_inputs,
                         op->most_inputs);
  }
  if (node->output_count != op->outputs) {
    return QRT_NODE_FAIL(w->v, node, QRT_ERROR_FIELD, "%u outputs instead of %u", node->output_count, op->outputs);
  }
  return QRT_OK;
}

static qrt_status verify_outputs(walk *w, const qrt_node *node) {
  for (uint32_t i = 0; i < node->output_count; ++i) {
    uint32_t index = qrt_node_output_index(node, i), expected = next_activation(w);
    qrt_tensor output;
    if (index >= w->model->tensor_count || index != expected) {
      return QRT_NODE_FAIL(w->v, node, QRT_ERROR_FIELD, "outputs[%u] is tensor %u, but the next activation is %u of %u",
                           i, index, expected, w->model->tensor_count);
    }
    qrt_tensor_read(w->model, index, &output);
    note_end(w, &output);
  }
  return QRT_OK;
}

/* No output lies where the input does, unless it takes its place. */
static qrt_status verify_apart(const walk *w, const qrt_node *node, const qrt_op *op, uint32_t i,
                               const qrt_tensor *input) {
  for (uint32_t j = 0; j < node->output_count; ++j) {
    qrt_tensor output;
    qrt_node_output_at(node, j, &output);
    if (overlap(input, &output) && !(op->in_place && input->offset == output.offset && input->size == output.size)) {
      return QRT_NODE_FAIL(w->v, node, QRT_ERROR_FIELD, "outputs[%u] overlaps inputs[%u] in the arena", j, i);
    }
  }
  return QRT_OK;
}

static qrt_status verify_inputs(const walk *w, const qrt_node *node, const qrt_op *op) {
  for (uint32_t i = 0; i < node->input_count; ++i) {
    uint32_t index = qrt_node_input_index(node, i);
    qrt_tensor input;
    if (index >= w->model->tensor_count) {
      return QRT_NODE_FAIL(w->v, node, QRT_ERROR_FIELD, "inputs[%u] is tensor %u of %u", i, index,
                           w->model->tensor_count);
    }
    qrt_tensor_read(w->model, index, &input);
    if (input.kind == QRT_FB_TensorKind_constant) {
      continue;
    }
    if (!is_live(w, &input)) {
      return QRT_NODE_FAIL(w->v, node, QRT_ERROR_FIELD, "inputs[%u] is tensors[%u], which is not live", i, index);
    }
    QRT_TRY(verify_apart(w, node, op, i, &input));
  }
  return QRT_OK;
}

/* Was the activation live before this operator? Both lists are in the same order, so one walk through the older one
 * (its position is *before) finds all. */
static int was_live(const walk *w, uint32_t index, uint32_t *before) {
  if (!w->started) {
    return index < w->first_output;
  }
  while (*before < w->live_count && at(w->model, w->live, *before) != index) {
    ++*before;
  }
  return *before < w->live_count;
}

static int is_output(const qrt_node *node, uint32_t index) {
  for (uint32_t i = 0; i < node->output_count; ++i) {
    if (qrt_node_output_index(node, i) == index) {
      return 1;
    }
  }
  return 0;
}

/* The list after this operator: its outputs, and otherwise only what was live before; ascending, without overlap. */
static qrt_status verify_live(walk *w, const qrt_node *node) {
  uint32_t count, live = qrt_flat_vector(w->model->file, node->table, QRT_FIELD(Operator, live), &count);
  uint32_t before = 0, outputs = 0;
  uint64_t end = 0;
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t index = at(w->model, live, i);
    qrt_tensor tensor;
    if (index >= w->model->tensor_count || !is_activation(w->model, index)) {
      return QRT_NODE_FAIL(w->v, node, QRT_ERROR_FIELD, "live[%u] is %u, which is no activation", i, index);
    }
    if (is_output(node, index)) {
      ++outputs; /* none twice, because nothing overlaps */
    } else if (!was_live(w, index, &before)) {
      return QRT_NODE_FAIL(w->v, node, QRT_ERROR_FIELD, "live[%u] is tensors[%u], which was not live before", i, index);
    }
    qrt_tensor_read(w->model, index, &tensor);
    if (i && tensor.offset < end) {
      return QRT_NODE_FAIL(w->v, node, QRT_ERROR_FIELD, "live[%u] is tensors[%u], which overlaps the one before", i,
                           index);
    }
    end = tensor.offset + tensor.size;
  }
  if (outputs != node->output_count) {
    return QRT_NODE_FAIL(w->v, node, QRT_ERROR_FIELD, "live lacks an output");
  }
  w->live = live;
  w->live_count = count;
  w->started = 1;
  return QRT_OK;
}

static qrt_status verify_operator(walk *w, uint32_t index) {
  qrt_node node;
  qrt_node_read(w->model, index, &node);
  if (node.code == QRT_FB_Operation_custom) {
    return QRT_NODE_FAIL(w->v, &node, QRT_ERROR_UNSUPPORTED, "not supported by this version");
  }
  const qrt_op *op = qrt_op_find(&node);
  if (!op) {
    return QRT_NODE_FAIL(w->v, &node, QRT_ERROR_OPERATOR, "not in this build");
  }
  QRT_TRY(verify_counts(w, &node, op));
  QRT_TRY(verify_outputs(w, &node));
  QRT_TRY(verify_inputs(w, &node, op));
  QRT_TRY(op->check(w->v, &node));
  return verify_live(w, &node);
}

static qrt_status verify_graph_outputs(const walk *w) {
  const qrt_model *model = w->model;
  for (uint32_t i = 0; i < model->output_count; ++i) {
    uint32_t index = at(model, model->outputs, i);
    qrt_tensor tensor;
    if (index >= model->tensor_count || index < w->first_output || !is_activation(model, index)) {
      return QRT_FAIL(w->v->error, QRT_ERROR_FIELD, "outputs[%u]: tensor %u is not written by an operator", i, index);
    }
    qrt_tensor_read(model, index, &tensor);
    if (!is_live(w, &tensor)) {
      return QRT_FAIL(w->v->error, QRT_ERROR_FIELD, "outputs[%u]: tensors[%u] is not live at the end", i, index);
    }
  }
  return QRT_OK;
}

qrt_status qrt_verify_graph(qrt_verify *v) {
  walk w;
  memset(&w, 0, sizeof w);
  w.v = v;
  w.model = v->model;
  QRT_TRY(verify_graph_inputs(&w));
  for (uint32_t i = 0; i < v->model->operator_count; ++i) {
    QRT_TRY(verify_operator(&w, i));
  }
  uint32_t rest = next_activation(&w);
  if (rest < v->model->tensor_count) {
    return QRT_FAIL(v->error, QRT_ERROR_FIELD, "tensors[%u]: an activation that nothing writes", rest);
  }
  if (w.end != v->model->activation_size) {
    return QRT_FAIL(v->error, QRT_ERROR_FIELD, "regions[0].size: %llu, but the last tensor ends at %llu",
                    (unsigned long long)v->model->activation_size, (unsigned long long)w.end);
  }
  return verify_graph_outputs(&w);
}
