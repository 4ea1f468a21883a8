/* Scores one row with a model file: cc score_row.c $(pkg-config --cflags --libs axiom) */
#include <axiom.h>
#include <stdio.h>
#include <stdlib.h>

int
main(int argc, char **argv)
{
    axiom_model *model;
    axiom_scorer *scorer;
    axiom_error error;
    if (argc < 3) {
        fprintf(stderr, "usage: score_row MODEL VALUE...\n");
        return 2;
    }
    if (axiom_model_open(argv[1], &model, &error) != AXIOM_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    const axiom_signature *signature = axiom_model_signature(model);
    size_t width = signature->feature_count;
    if ((size_t)argc - 2 != width || signature->margin_count != 1) {
        fprintf(stderr, "%s has %zu features and %zu margins\n", argv[1], width,
                signature->margin_count);
        return 1;
    }
    double *row = calloc(width + 1, sizeof *row), *why = calloc(width + 1, sizeof *why);
    double response;
    for (size_t i = 0; i < width; i++)
        row[i] = strtod(argv[i + 2], NULL);
    const axiom_rows rows = {.at = row, .count = 1};
    const axiom_answer answer = {.response = &response, .contributions = why};
    if (axiom_scorer_open(model, AXIOM_RESPONSE | AXIOM_CONTRIBUTIONS, NULL, &scorer, &error) ||
        axiom_score(scorer, &rows, &answer, &error)) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    printf("response %.17g\n", response);
    for (size_t i = 0; i < width; i++)
        printf("%s %.17g\n", signature->features[i].name, why[i]);
    axiom_scorer_close(scorer);
    axiom_model_close(model);
    free(row);
    free(why);
    return 0;
}
