import { describe, expect, it } from 'vitest'
import { createPassedBytes } from './passed-bytes.ts'

const MIB = 1024 * 1024

function count() {
  const counted = { collections: 0 }
  const passed = createPassedBytes(() => {
    counted.collections += 1
  })
  return { counted, passed }
}

/** A piece of what was read at once. */
function cut(read: number, from: number, to: number): Buffer {
  return Buffer.from(new ArrayBuffer(read)).subarray(from, to)
}

describe('long pieces of answers', () => {
  it('are collected each time that eight MiB have passed', () => {
    const { counted, passed } = count()
    for (let piece = 0; piece < 127; piece += 1) passed.pass(Buffer.alloc(64 * 1024))
    expect(counted.collections).toBe(0)
    passed.pass(Buffer.alloc(64 * 1024))
    expect(counted.collections).toBe(1)
    for (let piece = 0; piece < 16; piece += 1) passed.pass(Buffer.alloc(MIB))
    expect(counted.collections).toBe(3)
  })

  it('that were freed need no collection', () => {
    const { counted, passed } = count()
    for (let piece = 0; piece < 64; piece += 1) passed.pass(Buffer.alloc(MIB))?.()
    expect(counted.collections).toBe(0)
  })

  it('that are still on their way count until they are freed', () => {
    const { counted, passed } = count()
    const frees = Array.from({ length: 7 }, () => passed.pass(Buffer.alloc(MIB)))
    for (const free of frees) free?.()
    for (let piece = 0; piece < 7; piece += 1) passed.pass(Buffer.alloc(MIB))
    expect(counted.collections).toBe(0)
    passed.pass(Buffer.alloc(MIB))
    expect(counted.collections).toBe(1)
  })

  it('leave nothing to look at when they were freed, and show no bytes of others', () => {
    const piece = cut(MIB, 300, MIB).fill('x')
    const view = piece.subarray(10)
    count().passed.pass(piece)?.()
    expect([piece.length, view.length, piece.buffer.byteLength]).toEqual([0, 0, 0])
    Buffer.alloc(MIB, 'secret')
    expect(view.toString()).toBe('')
  })

  it.each([
    ['more was read behind it', cut(MIB, 0, MIB - 1)],
    ['as much was read before it', cut(MIB, MIB / 2, MIB)],
    ['it is the last part of memory that buffers share', cut(128 * 1024, 96 * 1024, 128 * 1024)],
  ])('are not freed where %s', (_when, piece) => {
    expect(count().passed.pass(piece)).toBeUndefined()
    expect(piece.length).toBeGreaterThan(0)
  })
})
