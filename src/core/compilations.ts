import { setFlagsFromString } from 'node:v8'

/** A hundred times V8's own: some 150 answers of MCP servers and issuers. */
const TIERING_BUDGET = 1_300_000_000

/**
 * Has V8 optimize the parser of answers after some 150 of them instead of two. The parser is WebAssembly, nearly all of it one function:
 * optimizing it takes some 60 ms of processor time, and 11 MiB that the allocator of the system keeps. So two documents of an issuer would
 * be enough for it at each start. Answers are read by the first compilation meanwhile, which is slower by some microseconds.
 *
 * Counts for parsers that are loaded later. For programs that have the process to themselves: it is a flag of V8.
 */
export function deferParserCompilation(): void {
  setFlagsFromString(`--wasm-tiering-budget=${TIERING_BUDGET}`)
}

/**
 * Has V8 free what a compilation needed when it is over. By default another thread does that when it finds time: with the first calls, while
 * every processor is busy, the memory of more than a hundred compilations waits for it, 16 MiB that the allocator of the system keeps.
 *
 * For programs that have the process to themselves: it is a flag of V8.
 */
export function freeCompilationsAtOnce(): void {
  setFlagsFromString('--no-maglev-destroy-on-background')
}
