import { describe, expect, it } from 'vitest'
import { closeHierarchy } from './scope-hierarchy.ts'

describe('the scope hierarchy', () => {
  it('includes what included scopes include', () => {
    const { closed, cyclic } = closeHierarchy({ admin: ['write'], write: ['read', 'list'], root: ['admin'] })
    expect(cyclic).toEqual([])
    expect(new Set(closed.root)).toEqual(new Set(['admin', 'write', 'read', 'list']))
    expect(new Set(closed.admin)).toEqual(new Set(['write', 'read', 'list']))
  })

  it('names every scope that includes itself, and ends', () => {
    expect(closeHierarchy({ a: ['b'], b: ['c'], c: ['a'], d: ['a'], e: ['e'] }).cyclic).toEqual(['a', 'b', 'c', 'e'])
  })

  it('knows scopes that are named like members of every object', () => {
    const { closed } = closeHierarchy({ admin: ['constructor', 'toString'] })
    expect(closed.admin).toEqual(['constructor', 'toString'])
  })
})
