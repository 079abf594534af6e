//! The pure parts that run for each piece, part or file: `cargo bench`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use storage::backend::Capabilities;
use storage::checksum::{Crc64, Crc64Digest};
use storage::hot;
use storage::plan::Plan;
use storage::{Manifest, PartSize};

const PIECE: usize = 256 << 10;
const PART: u64 = 8 << 20;
const PARTS: u32 = 10_000;

/// One piece of a part, as it is summed on its way.
fn checksum(c: &mut Criterion) {
    let piece: Vec<u8> = (0..PIECE).map(|i| (i * 31 % 251) as u8).collect();
    let mut group = c.benchmark_group("checksum");
    group.throughput(Throughput::Bytes(PIECE as u64));
    group.bench_function("a piece of 256 KiB", |b| {
        b.iter(|| {
            let mut digest = Crc64Digest::new();
            digest.update(black_box(&piece));
            digest.value()
        });
    });
    group.finish();
    c.bench_function("combine 10,000 parts", |b| {
        let sum = Crc64::of(&piece);
        b.iter(|| (0..PARTS).fold(Crc64::EMPTY, |whole, _| whole.combine(black_box(sum), PART)));
    });
}

fn plan(c: &mut Criterion) {
    let limits = Capabilities {
        part_size: 5 << 20..=5 << 30,
        max_parts: PARTS,
        max_object_size: 5 << 40,
        conditional_writes: None,
    };
    c.bench_function("plan 10,000 parts", |b| {
        let size = PART * u64::from(PARTS);
        b.iter(|| {
            let plan = Plan::new(black_box(size), PartSize::Auto, &limits).unwrap();
            plan.ranges().map(|(_, range)| black_box(range.end - range.start)).sum::<u64>()
        });
    });
}

fn manifest(c: &mut Criterion) {
    let json = hot::manifest_of(PARTS);
    let read = Manifest::from_json(&json).unwrap();
    c.bench_function("write a manifest of 10,000 parts", |b| b.iter(|| hot::write_manifest(black_box(&read)).len()));
    c.bench_function("read a manifest of 10,000 parts", |b| b.iter(|| Manifest::from_json(black_box(&json)).unwrap()));
}

fn journal(c: &mut Criterion) {
    c.bench_function("write the journal of 10,000 parts", |b| b.iter(|| hot::journal_of(PARTS).len()));
    let journal = hot::journal_of(PARTS);
    c.bench_function("read the journal of 10,000 parts", |b| b.iter(|| hot::read_journal(black_box(&journal))));
}

criterion_group!(benches, checksum, plan, manifest, journal);
criterion_main!(benches);
