//! Which partition a key belongs to, as Java's default partitioner says and librdkafka's `murmur2_random`, too.

const MAGIC: u32 = 0x5bd1_e995;
const SEED: u32 = 0x9747_b28c;

/// The partition of a key in a topic with so many of them.
pub(super) fn partition_of(key: &[u8], partitions: i32) -> i32 {
    let positive = (murmur2(key) & 0x7fff_ffff) as i32;
    positive % partitions.max(1)
}

/// `MurmurHash2`, 32 bits, in the variant of Kafka's Java client.
fn murmur2(data: &[u8]) -> u32 {
    let mut hash = SEED ^ data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut mixed = word.iter().rev().fold(0_u32, |sum, &byte| sum << 8 | u32::from(byte)).wrapping_mul(MAGIC);
        mixed ^= mixed >> 24;
        hash = hash.wrapping_mul(MAGIC) ^ mixed.wrapping_mul(MAGIC);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        hash ^= rest.iter().rev().fold(0, |sum, &byte| sum << 8 | u32::from(byte));
        hash = hash.wrapping_mul(MAGIC);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MAGIC);
    hash ^ hash >> 15
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_java_client() {
        // The vectors of Apache Kafka's own UtilsTest.
        let vectors: [(&str, i32); 6] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ];
        for (text, hash) in vectors {
            assert_eq!(murmur2(text.as_bytes()) as i32, hash, "{text}");
        }
    }

    #[test]
    fn a_partition_is_one_of_those_that_there_are() {
        for length in 0..40 {
            assert!((0..12).contains(&partition_of(&vec![b'x'; length], 12)));
        }
    }
}
