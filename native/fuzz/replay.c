/* SPDX-License-Identifier: Apache-2.0
 *
 * main() for the fuzz target where there is no libFuzzer: replays files, or makes random inputs.  Also what AFL++ runs.
 *
 * Usage: replay FILE...      run each file
 *        replay -r N SEED    run N random inputs; number and seed of a failing one are printed
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX_N = 4096 };

static uint32_t state;
static const char *current_file;
static uint32_t current_seed;

static void say_how_to_repeat(void)
{
    if (current_file != NULL) {
        fprintf(stderr, "repeat: replay %s\n", current_file);
    } else {
        fprintf(stderr, "repeat: replay -r 1 %u\n", (unsigned)current_seed);
    }
}

static uint32_t next(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static int random_inputs(long runs_n, uint32_t seed)
{
    static uint8_t data[INPUT_MAX_N];
    long run;
    size_t size, i;
    for (run = 0; run < runs_n; run++) {
        current_seed = seed + (uint32_t)run;
        state = current_seed * 2654435761u | 1u;
        size = next() >> 16 & 255u;
        for (i = 0; i < size; i++) {
            data[i] = (uint8_t)(next() >> 24);
        }
        (void)LLVMFuzzerTestOneInput(data, size);
    }
    printf("%ld random inputs from seed %u, no finding\n", runs_n, (unsigned)seed);
    return 0;
}

int main(int argc, char **argv)
{
    static uint8_t data[1 << 20];
    FILE *file;
    size_t size;
    int i;
    failure_announce(say_how_to_repeat);
    if (argc == 4 && strcmp(argv[1], "-r") == 0) {
        return random_inputs(strtol(argv[2], NULL, 10), (uint32_t)strtoul(argv[3], NULL, 10));
    }
    for (i = 1; i < argc; i++) {
        file = fopen(argv[i], "rb");
        if (file == NULL) {
            fprintf(stderr, "cannot open %s\n", argv[i]);
            return 2;
        }
        size = fread(data, 1, sizeof data, file);
        (void)fclose(file);
        current_file = argv[i];
        (void)LLVMFuzzerTestOneInput(data, size);
    }
    printf("%d files, no finding\n", argc - 1);
    return 0;
}
