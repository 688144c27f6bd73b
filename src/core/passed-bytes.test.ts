import { describe, expect, it } from 'vitest'
import { createPassedBytes } from './passed-bytes.ts'

const MIB = 1024 * 1024

describe('long pieces of answers', () => {
  it('are collected each time that eight MiB have passed', () => {
    let collections = 0
    const passed = createPassedBytes(() => {
      collections += 1
    })
    for (let piece = 0; piece < 127; piece += 1) passed.add(64 * 1024)
    expect(collections).toBe(0)
    passed.add(64 * 1024)
    expect(collections).toBe(1)
    for (let piece = 0; piece < 16; piece += 1) passed.add(MIB)
    expect(collections).toBe(3)
  })
})
