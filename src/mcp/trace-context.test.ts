import { describe, expect, it } from 'vitest'
import { addTraceContext, findTraceContext } from './trace-context.ts'

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01'

describe('the trace context of a body', () => {
  it.each([
    [`{"params":{"_meta":{"traceparent":"${traceparent}"}}}`, { traceparent }],
    [`{"params":{"_meta":{"tracestate":"a=b","traceparent":"${traceparent}"}}}`, { traceparent, tracestate: 'a=b' }],
    [` [{"id":1},{"params":{"_meta":{"traceparent":"${traceparent}"}}}]`, { traceparent }],
    ['{"params":{"_meta":{"tracestate":"a=b"}}}', undefined],
    ['{"params":{"_meta":{"traceparent":7}}}', undefined],
    ['{"params":{"_meta":{"traceparent":{"traceparent":"x"}}}}', undefined],
    [`{"params":{"_meta":{"traceparent":"${'x'.repeat(5000)}"}}}`, undefined],
    ['{"params":{"arguments":{"traceparent":"x"},"_meta":{}}}', undefined],
    ['{"params":{"traceparent":"x"}}', undefined],
    ['[]', undefined],
  ])('is read from _meta alone: %s', (text, expected) => {
    expect(findTraceContext(text)).toEqual(expected)
  })

  it.each([
    ['{"id":1,"method":"ping"}', '{"id":1,"method":"ping","params":{"_meta":{"traceparent":"T"}}}'],
    ['{"id":1,"method":"ping" }', '{"id":1,"method":"ping" ,"params":{"_meta":{"traceparent":"T"}}}'],
    ['{"params":{},"id":1,"method":"m"}', '{"params":{"_meta":{"traceparent":"T"}},"id":1,"method":"m"}'],
    ['{"id":1,"method":"m","params":{"a":1}}', '{"id":1,"method":"m","params":{"_meta":{"traceparent":"T"},"a":1}}'],
    ['{"id":1,"method":"m","params":{"_meta":{}}}', '{"id":1,"method":"m","params":{"_meta":{"traceparent":"T"}}}'],
    [
      '{"id":1, "method":"m", "params":{ "_meta" : { "a" : 1.0 } } }',
      '{"id":1, "method":"m", "params":{ "_meta" : {"traceparent":"T", "a" : 1.0 } } }',
    ],
    ['[{"id":1,"method":"m"},{"method":"n"}]', '[{"id":1,"method":"m","params":{"_meta":{"traceparent":"T"}}},{"method":"n"}]'],
  ])('is added to each request that has none, and nothing else is changed: %s', (text, expected) => {
    expect(addTraceContext(text, { traceparent: 'T' })).toBe(expected)
  })

  it.each([
    ['{"method":"notifications/x"}'],
    ['{"id":1,"result":{}}'],
    ['{"id":1,"method":"m","params":{"_meta":{"traceparent":"of the client"}}}'],
    ['{"id":1,"method":"m","params":{"_meta":{"\\u0074raceparent":"of the client"}}}'],
    ['{"id":1,"method":"m","params":{"_meta":{"tracestate":"of the client"}}}'],
  ])('is not added to what is no request, or has one: %s', (text) => {
    expect(addTraceContext(text, { traceparent: 'T', tracestate: 'a=b' })).toBe(text)
  })

  it('is written so that no trace state breaks out of it', () => {
    const context = { traceparent: 'T', tracestate: 'a="},"id":2,"x":"' }
    const added = addTraceContext('{"id":1,"method":"m"}', context)
    expect(JSON.parse(added)).toEqual({ id: 1, method: 'm', params: { _meta: context } })
  })
})
