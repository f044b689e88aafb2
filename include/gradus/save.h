/*
 * Saving: models and training runs in files that other programs can read, and back.
 *
 *     gr_save(g, "model.safetensors", NULL);       all parameters of the graph, and running means and the like
 *     gr_load(g, "model.safetensors", NULL);       back into those of the same names, types and shapes
 *
 *     const gr_training run = {.n_optimizers = 1, .optimizers = &adam, .n_batches = 1, .batches = &batches};
 *     gr_save_training(g, "run.safetensors", &run);
 *     gr_load_training(g, "run.safetensors", &run);      in a new process, with the same objects made anew
 *
 * FORMAT
 *   Files are safetensors (Hugging Face, 2022; github.com/huggingface/safetensors): 8 bytes with the length of a header,
 *   little-endian; the header, a JSON object that gives each tensor's type, shape and place, and pairs of texts
 *   (`__metadata__`); then the elements, little-endian, in row-major order, without holes. Python reads them with
 *   safetensors.numpy.load_file or safetensors.torch.load_file. The same tensors make the same bytes: they are in
 *   the order of their types, large ones first, so that each is aligned, and of their names; the data begin at a
 *   multiple of 8 bytes.
 *
 * SAVING
 *   A file is written under another name in the same directory, "<path>.<process>-<n>.part", brought to the disk
 *   (fsync), and renamed: whenever a process or the machine dies, the path names the whole old file or the whole new
 *   one. On an error, such as a full disk, the new file is removed, and the old one stays. A process that is
 *   killed leaves a .part file behind, which may be deleted. Symbolic links are followed, permissions of the old file
 *   are kept; what is no regular file (/dev/stdout) is written directly.
 *
 * LOADING
 *   All or nothing. A file is read into memory, and everything in it is checked before the first element of yours
 *   is written: it is what the format says, and it has all tensors that are asked for, and no others, of
 *   the very types and shapes. After an error nothing has changed.
 *
 * ERRORS
 *   All functions refuse to run, and return the stored error, while one is pending (graph.h). GR_ERR_IO: the system
 *   refused; the message has the path and its reason. GR_ERR_FORMAT: a file that is not what it claims to be,
 *   down to its last byte. GR_ERR_NAME: a tensor is missing, or not expected, or has no name. GR_ERR_TYPE and
 *   GR_ERR_SHAPE: it is another one than expected. The message names the tensor, what was found and what was
 *   expected. GR_ERR_MEMORY, GR_ERR_LIMIT: there is no room for a file that is really as large as it says; what only a
 *   header claims is never allocated.
 */
#ifndef GRADUS_SAVE_H
#define GRADUS_SAVE_H

#include <stdio.h>

#include "gradus/io.h"
#include "gradus/optim.h"
#include "gradus/tensor.h"

GR_BEGIN_DECLS

/* ---- Files of tensors ---- */

/* A file that has been read and found to be sound. All of it is in memory until it is closed, so that what was checked is
   what will be read. Owned by the graph, whose memory it takes, and closed with it at the latest. */
typedef struct gr_safetensors gr_safetensors;

/* Reads a file; the rest of a stream, which may be a pipe, and stays open (`name` stands for it in messages); `n`
   bytes of memory, which are not copied and must outlive the result. NULL on error. */
GR_API gr_safetensors *gr_safetensors_open(gr_graph *g, const char *path);
GR_API gr_safetensors *gr_safetensors_read(gr_graph *g, FILE *stream, const char *name);
GR_API gr_safetensors *gr_safetensors_parse(gr_graph *g, const void *bytes, size_t n);
/* Frees it. NULL is allowed. Tensors made of it live on. */
GR_API void gr_safetensors_close(gr_safetensors *file);

typedef struct gr_safetensors_entry {
    const char *name;
    const char *type; /* as the file has it: "F32" */
    gr_shape shape;
    const void *data; /* the elements: little-endian, not aligned */
    size_t bytes;
} gr_safetensors_entry;

/* The number of tensors, each of them in the order of the header, and the one of a name (-1: there is none). An index out
   of range gives an entry whose name is NULL. */
GR_API int gr_safetensors_count(const gr_safetensors *file);
GR_API gr_safetensors_entry gr_safetensors_at(const gr_safetensors *file, int i);
GR_API int gr_safetensors_find(const gr_safetensors *file, const char *name);

/* Tensor i as a kept constant of the graph, which need not be that of the file. F32, F64, I32 and BOOL become f32, f64,
   i32 and bool; F16 and BF16 f32, which holds them exactly; I8, U8, I16, U16, U32, I64 and U64 i32, if each element
   fits (else GR_ERR_TYPE with the first that does not). GR_ERR_TYPE: another type. GR_ERR_INDEX. */
GR_API gr_tensor gr_safetensors_tensor(gr_graph *g, const gr_safetensors *file, int i);

/* A pair of texts that says something about a file. */
typedef struct gr_metadata {
    const char *key, *value;
} gr_metadata;
GR_API int gr_safetensors_metadata_count(const gr_safetensors *file);
/* Pair i in the order of the header; NULL and NULL if out of range. */
GR_API gr_metadata gr_safetensors_metadata_at(const gr_safetensors *file, int i);
/* The value of a key, or NULL. */
GR_API const char *gr_safetensors_metadata(const gr_safetensors *file, const char *key);

/* ---- Models ---- */

/* Where "all parameters" stands in this header, what else belongs to the model comes with them: gr_set_model_state
   (tensor.h), as layers say of their running means. */
typedef struct gr_save_options {
    int n; /* 0: all parameters of the graph */
    const gr_tensor *tensors;
    const char *const *names; /* in the file; NULL: their own (gr_name) */
    const char *prefix;       /* only those whose name in the file begins so, such as "encoder."; NULL: all */
    int n_metadata;
    const gr_metadata *metadata; /* for the file, as it is */
} gr_save_options;

/* Writes parameters, or any tensors that have names, of all types. options: NULL gives the defaults. GR_ERR_NAME: a
   tensor has no name, two have the same, a name is no UTF-8 or "__metadata__", or none begins with the prefix.
   GR_ERR_ARGUMENT: there are none at all. */
GR_API gr_status gr_save(gr_graph *g, const char *path, const gr_save_options *options);
/* The same bytes through a writer. */
GR_API gr_status gr_save_to(gr_graph *g, gr_writer *write, void *user, const gr_save_options *options);

typedef struct gr_load_options {
    int n; /* 0: all parameters of the graph */
    const gr_tensor *tensors;
    const char *const *names; /* in the file; NULL: their own (gr_name) */
    const char *prefix; /* only those whose name in the file begins so; nothing else in it is looked at */
    bool allow_others;  /* the file may have tensors that are not asked for */
} gr_load_options;

/* Reads a file into parameters, constants or gradients (else GR_ERR_STATE), and raises their versions. Types are not
   converted: a file in F16 is read with gr_safetensors_tensor. */
GR_API gr_status gr_load(gr_graph *g, const char *path, const gr_load_options *options);
/* The same from a file that is open, of any graph. */
GR_API gr_status gr_load_from(gr_graph *g, const gr_safetensors *file, const gr_load_options *options);

/* ---- Training runs ---- */

/* Numbers of the program that belong to a run: an epoch, the fields of a gr_plateau. One of both lists is given. */
typedef struct gr_training_value {
    const char *name;
    int n;             /* how many */
    double *numbers;   /* read when a run is saved, written when it is loaded */
    int64_t *integers; /* the same */
} gr_training_value;

/* What a training run consists of. What is saved of it, and comes back:
     of parameters (and of `tensors`, which are constants with names: the history of a gr_lbfgs)
       the elements;
     of each optimiser   what it remembers of each parameter (its states) and how many steps that has made; rates and
                         decays of its groups, and the factor of its rates;
     of each gr_batches  seed, epoch and position in it;
     of each value       the numbers;
     of the graph        the state of its random numbers.
   With these a run continues as if it had not stopped, bit for bit, given that the program makes the same objects,
   optimisers, batches and groups in the same order. Not saved: gradients (save between gr_optimizer_step and the
   next gr_backward), which parameters are frozen, options of rules (the betas of Adam), and states of other objects:
   copy them into values, and set them after loading (gr_lbfgs_get, gr_early_stopping_get).

   In the file, a parameter w is "model.w", a tensor t "tensor.t", a value v "value.v" (F64 or I64), the state m of
   optimiser 0 for w "optimizer.0.m.w", its steps on w "optimizer.0.steps.w" (I64), its groups
   "optimizer.0.rates", "optimizer.0.decays" (F64) and "optimizer.0.decoupled" (U64: 0 or 1), its factor
   "optimizer.0.factor", the position of batches 0 "batches.0" and the random numbers "rng" (U64: as in
   gr_batches_state; seed and counter). The metadata have "format" = "gradus training", "version" = "1" and the
   rules, "optimizer.0" = "adam". */
typedef struct gr_training {
    int n_params; /* 0: all parameters of the graph */
    const gr_tensor *params;
    int n_optimizers;
    gr_optimizer *const *optimizers;
    int n_batches;
    gr_batches *const *batches;
    int n_tensors;
    const gr_tensor *tensors;
    int n_values;
    const gr_training_value *values;
} gr_training;

/* Writes the state of a run. training: NULL is a run of parameters and random numbers alone. */
GR_API gr_status gr_save_training(gr_graph *g, const char *path, const gr_training *training);
GR_API gr_status gr_save_training_to(gr_graph *g, gr_writer *write, void *user, const gr_training *training);

/* Goes back to the state that was saved. Besides what gr_load checks: optimisers have the same rules over the same
   parameters, batches the same number of samples, batch size, and options (GR_ERR_ARGUMENT), and the numbers are
   possible ones (GR_ERR_FORMAT). */
GR_API gr_status gr_load_training(gr_graph *g, const char *path, const gr_training *training);
GR_API gr_status gr_load_training_from(gr_graph *g, const gr_safetensors *file, const gr_training *training);

GR_END_DECLS

#endif
