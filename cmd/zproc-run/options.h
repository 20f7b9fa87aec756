/* What the command line of a run says. */
#ifndef ZPROC_RUN_OPTIONS_H
#define ZPROC_RUN_OPTIONS_H

#include "plan.h"

/* ---- options.c ---- */

enum output_mode { OUTPUT_PREFIX, OUTPUT_GROUP, OUTPUT_FAILED, OUTPUT_QUIET, OUTPUT_RAW, OUTPUT_JSON };
struct options {
    const char **manifests, **vars, **workers; /* no manifest: zproc.yaml of the current folder */
    size_t manifest_count, var_count, worker_count;
    char **command; /* behind `--`; NULL: a manifest */
    int64_t jobs;   /* -1: as the manifest says */
    int fail;       /* enum plan_fail, -1: as the manifest says */
    const char *server, *junit, *events;
    enum output_mode output;
    bool output_given, check, dry_run, colourless, json, quiet;
    int control;    /* descriptor of the guardian, -1: none */
    int background; /* descriptor where it is told that the run is up, -1: a run in the foreground */
};
/* False with err when something is wrong with them. */
bool options_parse(struct options *options, int argc, char **argv, struct err *err);
void options_release(struct options *options);
/* What the command line says over the manifest. */
void options_apply(const struct options *options, struct plan *plan);

#endif
