//! Work over fixed blocks, in block order, inside whatever pool the host installed.
//!
//! Blocks do not depend on the number of threads, and results are combined in the order
//! of the blocks, so that sums of floating-point numbers have the same bits on 1 thread
//! and on 64.

use std::ops::Range;

#[cfg(feature = "rayon")]
use rayon::prelude::*;

/// The results of `work` on the blocks of `0..n`, in order.
pub(crate) fn map_blocks<T, W>(n: usize, block: usize, work: W) -> Vec<T>
where
    T: Send,
    W: Fn(Range<usize>) -> T + Sync,
{
    let block = block.max(1);
    let range = |i: usize| i * block..((i + 1) * block).min(n);
    let blocks = 0..n.div_ceil(block);
    // To wake a thread takes longer than much that is one block.
    #[cfg(feature = "rayon")]
    if n > block {
        return blocks.into_par_iter().map(|i| work(range(i))).collect();
    }
    blocks.map(|i| work(range(i))).collect()
}

/// A slice to be written, and how many of its items belong to a block.
pub(crate) type Blocks<'a, A> = (&'a mut [A], usize);

/// The results of `work` on the blocks of two slices, which have as many blocks, in order;
/// it is told the number of the block.
pub(crate) fn map_chunk_pairs<A, B, T, W>(
    (a, block_a): Blocks<'_, A>,
    (b, block_b): Blocks<'_, B>,
    work: W,
) -> Vec<T>
where
    A: Send,
    B: Send,
    T: Send,
    W: Fn(usize, &mut [A], &mut [B]) -> T + Sync,
{
    #[cfg(feature = "rayon")]
    let chunks = a.par_chunks_mut(block_a.max(1)).zip(b.par_chunks_mut(block_b.max(1)));
    #[cfg(not(feature = "rayon"))]
    let chunks = a.chunks_mut(block_a.max(1)).zip(b.chunks_mut(block_b.max(1)));
    chunks.enumerate().map(|(i, (a, b))| work(i, a, b)).collect()
}

/// What `work` gathers from all blocks of `0..n` in states that `merge` joins. Which blocks
/// share a state depends on the threads, so both must give the same whatever the order:
/// sums of integers, minima with a rule for ties.
pub(crate) fn gather_blocks<T, N, W, M>(
    n: usize,
    block: usize,
    new: N,
    work: W,
    merge: M,
) -> T
where
    T: Send,
    N: Fn() -> T + Sync + Send,
    W: Fn(&mut T, Range<usize>) + Sync + Send,
    M: Fn(T, T) -> T + Sync + Send,
{
    let block = block.max(1);
    let range = |i: usize| i * block..((i + 1) * block).min(n);
    let blocks = 0..n.div_ceil(block);
    #[cfg(feature = "rayon")]
    return blocks
        .into_par_iter()
        .fold(&new, |mut state, i| {
            work(&mut state, range(i));
            state
        })
        .reduce(&new, merge);
    #[cfg(not(feature = "rayon"))]
    {
        let _ = merge;
        let mut state = new();
        blocks.for_each(|i| work(&mut state, range(i)));
        state
    }
}

/// Runs `work` on the blocks of two slices of one length, with the position of their first
/// item, and joins what it gathers. Which blocks share a state depends on the threads, so
/// `work` and `merge` must give the same whatever the order: sums of integers, minima with a
/// rule for ties.
pub(crate) fn gather_chunks<A, B, T, N, W, M>(
    (a, b): (&mut [A], &mut [B]),
    block: usize,
    new: N,
    work: W,
    merge: M,
) -> T
where
    A: Send,
    B: Send,
    T: Send,
    N: Fn() -> T + Sync + Send,
    W: Fn(&mut T, usize, &mut [A], &mut [B]) + Sync + Send,
    M: Fn(T, T) -> T + Sync + Send,
{
    let block = block.max(1);
    #[cfg(feature = "rayon")]
    return a
        .par_chunks_mut(block)
        .zip(b.par_chunks_mut(block))
        .enumerate()
        .fold(&new, |mut state, (i, (a, b))| {
            work(&mut state, i * block, a, b);
            state
        })
        .reduce(&new, merge);
    #[cfg(not(feature = "rayon"))]
    {
        let _ = merge;
        let mut state = new();
        for (i, (a, b)) in a.chunks_mut(block).zip(b.chunks_mut(block)).enumerate() {
            work(&mut state, i * block, a, b);
        }
        state
    }
}

/// Runs `work` on the blocks of `out`, with the position of their first item. The error
/// of the first failing block wins.
pub(crate) fn for_each_block<T, E, W>(
    out: &mut [T],
    block: usize,
    work: W,
) -> Result<(), E>
where
    T: Send,
    E: Send,
    W: Fn(usize, &mut [T]) -> Result<(), E> + Sync,
{
    let block = block.max(1);
    #[cfg(feature = "rayon")]
    {
        let results: Vec<Result<(), E>> = out
            .par_chunks_mut(block)
            .enumerate()
            .map(|(i, chunk)| work(i * block, chunk))
            .collect();
        results.into_iter().collect()
    }
    #[cfg(not(feature = "rayon"))]
    out.chunks_mut(block).enumerate().try_for_each(|(i, chunk)| work(i * block, chunk))
}

/// The results of `work` on the blocks of `items`, in order; it is told the position of
/// their first item.
pub(crate) fn map_blocks_mut<I, T, W>(items: &mut [I], block: usize, work: W) -> Vec<T>
where
    I: Send,
    T: Send,
    W: Fn(usize, &mut [I]) -> T + Sync,
{
    let block = block.max(1);
    #[cfg(feature = "rayon")]
    let blocks = items.par_chunks_mut(block).enumerate();
    #[cfg(not(feature = "rayon"))]
    let blocks = items.chunks_mut(block).enumerate();
    blocks.map(|(i, chunk)| work(i * block, chunk)).collect()
}

/// Both results, computed beside each other where there are threads to spare.
pub(crate) fn join<A, B>(
    a: impl FnOnce() -> A + Send,
    b: impl FnOnce() -> B + Send,
) -> (A, B)
where
    A: Send,
    B: Send,
{
    #[cfg(feature = "rayon")]
    return rayon::join(a, b);
    #[cfg(not(feature = "rayon"))]
    (a(), b())
}

/// Sorts items of which equal ones look alike, so that their order is of no matter.
pub(crate) fn sort<T: Ord + Send>(items: &mut [T]) {
    #[cfg(feature = "rayon")]
    items.par_sort_unstable();
    #[cfg(not(feature = "rayon"))]
    items.sort_unstable();
}
