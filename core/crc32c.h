// CRC32C (Castagnoli, reflected polynomial 0x82f63b78; RFC 3720): the checksum of every chunk and
// of every ensemble. Check value: CRC32C of "123456789" is 0xe3069283.
//
// The instruction of SSE4.2 is chosen at run time, three streams interleaved (its latency is three
// cycles, its throughput one); a table does the same elsewhere.
//
// Thread safety: the functions are pure but for what they write through `dst`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace riesz {

uint32_t Crc32c(std::span<const std::byte> data);
// The CRC of what `crc` covers followed by `data`. ExtendCrc32c(0, data) is Crc32c(data).
uint32_t ExtendCrc32c(uint32_t crc, std::span<const std::byte> data);
// Copies src to dst (src.size() bytes, not overlapping) and extends `crc` by it, in one pass.
uint32_t CopyAndCrc32c(std::byte* dst, std::span<const std::byte> src, uint32_t crc);
// The CRC of A followed by B from crc(A), crc(B) and B's length in bytes. O(log length_b).
uint32_t CombineCrc32c(uint32_t crc_a, uint32_t crc_b, uint64_t length_b);

namespace internal {
// The fallback, reachable for its test on a machine that has the instruction.
uint32_t TableExtendCrc32c(uint32_t crc, std::span<const std::byte> data);
}  // namespace internal

}  // namespace riesz
