/*
 * Verbs that are one request to a server: a table of what is asked for, and one function.
 *
 * Positional arguments whose name stands in the path go there, the others become members of the
 * body; so do the options. remote_verbs.c holds the table.
 */
#pragma once

#include "cli/command.h"

enum ax_remote_kind {
    AX_REMOTE_TEXT,
    AX_REMOTE_NUMBER,
    AX_REMOTE_WORDS,     /* "a,b" becomes ["a","b"] */
    AX_REMOTE_JSON,      /* JSON itself, or @FILE */
    AX_REMOTE_FILE_TEXT, /* the file's text as a JSON string */
    AX_REMOTE_BODY_JSON, /* the file's members are the body's */
    AX_REMOTE_BODY,      /* the file's bytes are the body */
    AX_REMOTE_CHANGE,    /* a text inside the proposal's "change" */
    AX_REMOTE_QUERY,     /* a member of the query string */
};

struct ax_remote_option {
    const char *flag;   /* "--owner" */
    const char *member; /* of the body or the query */
    enum ax_remote_kind kind;
    bool required;
    const char *meaning;
};

enum { AX_REMOTE_OPTIONS_MAX = 10, AX_REMOTE_POSITIONALS_MAX = 3 };

struct ax_remote_verb {
    const char *name;
    const char *summary;
    const char *example;
    const char *method;
    const char *path;                                   /* "/api/v1/models/{model}" */
    const char *positionals[AX_REMOTE_POSITIONALS_MAX]; /* "model"; "reason?" may be left out */
    struct ax_remote_option options[AX_REMOTE_OPTIONS_MAX];
    const char *change; /* members always in "change"; "" for none; NULL: no such object */
    const char *fixed;  /* members that are always there: "\"kind\":\"deployment\"" */
};

extern const struct ax_remote_verb ax_remote_verbs[];
extern const size_t ax_remote_verb_count;

/* Asks and prints. */
ax_status ax_remote_verb_run(struct ax_ctx *ctx, const struct ax_remote_verb *verb,
                             int argument_count, char **arguments);

/* Usage, options and an example, to standard output. */
void ax_remote_verb_help(const struct ax_remote_verb *verb);
