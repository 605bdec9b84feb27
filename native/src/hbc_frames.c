/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames and chunks of a whole recording; the manual is hbc_frames.h.
 */
#include "hbc_frames.h"

#include <string.h>

enum { CRC_N = 4, LENGTH_AT = 16, CHECK_AT = 20 };

static uint32_t u32_at(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

void hbc_crc_init(hbc_crc *crc)
{
    uint32_t value;
    int i, k;
    for (i = 0; i < 256; i++) {
        value = (uint32_t)i;
        for (k = 0; k < 8; k++) {
            value = (value >> 1) ^ ((value & 1u) != 0u ? 0xEDB88320u : 0u); /* the polynomial, reflected */
        }
        crc->after[0][i] = value;
    }
    for (k = 1; k < HBC_CRC_STEP_N; k++) { /* the same byte, k zero bytes earlier */
        for (i = 0; i < 256; i++) {
            value = crc->after[k - 1][i];
            crc->after[k][i] = (value >> 8) ^ crc->after[0][value & 0xFFu];
        }
    }
}

uint32_t hbc_crc_of(const hbc_crc *crc, uint32_t before, const uint8_t *bytes, int64_t n)
{
    uint32_t value = ~before, next;
    for (; n >= HBC_CRC_STEP_N; n -= HBC_CRC_STEP_N, bytes += HBC_CRC_STEP_N) {
        value ^= u32_at(bytes);
        next = u32_at(bytes + 4);
        value = crc->after[7][value & 0xFFu] ^ crc->after[6][(value >> 8) & 0xFFu] ^
                crc->after[5][(value >> 16) & 0xFFu] ^ crc->after[4][value >> 24] ^ crc->after[3][next & 0xFFu] ^
                crc->after[2][(next >> 8) & 0xFFu] ^ crc->after[1][(next >> 16) & 0xFFu] ^ crc->after[0][next >> 24];
    }
    for (; n > 0; n--, bytes++) {
        value = (value >> 8) ^ crc->after[0][(value ^ *bytes) & 0xFFu];
    }
    return ~value;
}

/* Undoes COBS of body_n bytes, none of them 0; out has room for body_n.  Returns the length, or -1 when it is no COBS. */
static int64_t decode(const uint8_t *body, int64_t body_n, uint8_t *out)
{
    int64_t i = 0, n = 0, code;
    while (i < body_n) {
        code = body[i];
        if (code > body_n - i) {
            return -1;
        }
        memcpy(out + n, body + i + 1, (size_t)(code - 1));
        n += code - 1;
        i += code;
        if (code < 255 && i < body_n) {
            out[n++] = 0;
        }
    }
    return n;
}

/* Length of the payload that a body holds, written to out; -1 when it is no frame. */
static int64_t payload_of(const hbc_crc *crc, const uint8_t *body, int64_t body_n, uint8_t *out)
{
    const int64_t n = decode(body, body_n, out) - CRC_N;
    return n >= 1 && hbc_crc_of(crc, 0, out, n) == u32_at(out + n) ? n : -1;
}

int32_t hbc_deframe(const hbc_crc *crc, const uint8_t *data, int64_t data_n, int32_t joining, int64_t body_max_n,
                    uint8_t *payloads, int64_t *payload_end, int64_t *delimiter_at, int64_t frames_max_n,
                    hbc_deframed *found)
{
    int64_t start = 0, body_n, n;
    const uint8_t *delimiter;
    memset(found, 0, sizeof *found);
    while (start < data_n) {
        delimiter = memchr(data + start, 0, (size_t)(data_n - start));
        body_n = delimiter != NULL ? delimiter - (data + start) : data_n - start;
        if (delimiter == NULL && body_n <= body_max_n) {
            break; /* the rest of a frame that never came */
        }
        /* Fewer payload than body bytes were written so far, so this body has room behind them. */
        n = body_n == 0 || body_n > body_max_n
                ? -1
                : payload_of(crc, data + start, body_n, payloads + found->payload_bytes_n);
        if (n > 0) {
            if (found->frames_n >= frames_max_n) {
                return -1;
            }
            found->payload_bytes_n += n;
            payload_end[found->frames_n] = found->payload_bytes_n;
            delimiter_at[found->frames_n] = start + body_n;
            found->frames_n++;
        } else if (body_n > 0) {
            found->skipped_bytes_n += body_n;
            found->bad_n += start > 0 || joining == 0; /* whoever joins begins inside a frame: that is no loss */
        }
        start += body_n + 1;
    }
    return 0;
}

int64_t hbc_log_chunks(const hbc_crc *crc, const uint8_t *data, int64_t data_n, int64_t at, const uint8_t *magic,
                       int64_t body_max_n, int64_t *places, int64_t places_max_n)
{
    int64_t found_n = 0, body_n;
    const uint8_t *head, *next;
    while (at >= 0 && data_n - at >= HBC_LOG_HEAD_N) {
        head = data + at;
        if (memcmp(head, magic, 4) != 0) {
            next = memchr(head + 1, magic[0], (size_t)(data_n - at - 1));
            if (next == NULL) {
                break;
            }
            at = next - data;
            continue;
        }
        body_n = (int64_t)u32_at(head + LENGTH_AT);
        if (body_n <= body_max_n && body_n <= data_n - at - HBC_LOG_HEAD_N &&
            hbc_crc_of(crc, hbc_crc_of(crc, 0, head, CHECK_AT), head + HBC_LOG_HEAD_N, body_n) ==
                u32_at(head + CHECK_AT)) {
            if (found_n >= places_max_n) {
                return -1;
            }
            places[found_n++] = at;
            at += HBC_LOG_HEAD_N + body_n;
        } else {
            at++;
        }
    }
    return found_n;
}

void hbc_gather(const uint8_t *data, const int64_t *at, const int64_t *length_n, int64_t pieces_n, uint8_t *out)
{
    int64_t i;
    for (i = 0; i < pieces_n; i++) {
        memcpy(out, data + at[i], (size_t)length_n[i]);
        out += length_n[i];
    }
}
