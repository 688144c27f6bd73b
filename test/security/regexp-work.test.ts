// Attack family S: what strangers, users, MCP servers and issuers send is made to cost more work the longer it is.
import { describe, expect, it } from 'vitest'
import { findExpressions, findWorstInput } from '../support/regexp-attacks.ts'

const rooms = 'http,oauth,pipeline,mcp,core,policy,broker,rewrite,upstream,telemetry,identity'
const found = findExpressions(`src/{${rooms}}/**/*.ts`)

describe('the expressions of this proxy', () => {
  it('are found', () => {
    expect(found.length).toBeGreaterThan(150)
  })

  it.each(found.map(({ file, expression }) => [file, expression] as const))(
    'take at most 2.2 times the steps for twice the input: %s %s',
    (_file, expression) => {
      const { ratio, input } = findWorstInput(expression)
      expect(ratio, input).toBeLessThanOrEqual(2.2)
    },
  )
})

describe('the search for worst inputs', () => {
  it.each([/-+$/, /^(a+)+$/, /^(x:\/\/)([^/?]*)([^?]*)$/, /\s+;/, /a.*b/, /^(?:\w|a)*$/])('finds those of %s', (expression) => {
    expect(findWorstInput(expression).ratio).toBeGreaterThan(2.2)
  })
})
