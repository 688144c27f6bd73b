import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkAttempt, createCall, type Stage, startStage } from '../support/stage.ts'

let stage: Stage
beforeAll(async () => {
  stage = await startStage({
    server: {
      rules: [
        { tool: 'drop_db', scopes: ['db:admin'] },
        { prompt: 'secret', scopes: ['secrets'] },
        { resource: 'file:///secret/**', scopes: ['secrets'] },
      ],
    },
  })
})
afterAll(() => stage.close())

const denied = { status: 403, code: 'scope_insufficient' }
const ambiguous = { status: 400, code: 'json_ambiguous', rpc: -32600 }
const invalid = { status: 400, code: 'message_invalid', rpc: -32600 }
const unreadable = { status: 400, code: 'json_invalid', rpc: -32700, id: undefined }

describe('a body that two decoders could read differently is refused', () => {
  const many = Array.from({ length: 20 }, (_, index) => `"k${index}":${index}`).join()
  it.each([
    [
      'two methods with many members between them',
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"drop_db"},${many},"method":"ping"}`,
    ],
    [
      'two names with many members between them',
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"drop_db",${many},"name":"echo"}}`,
    ],
    [
      'two methods, the harmless one last',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"drop_db"},"method":"ping"}',
    ],
    [
      'two methods, the harmless one first',
      '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"name":"drop_db"},"method":"tools/call"}',
    ],
    [
      'two methods, one with an escape',
      '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"name":"drop_db"},"m\\u0065thod":"tools/call"}',
    ],
    ['two params', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"},"params":{"name":"drop_db"}}'],
    ['two names', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"drop_db"}}'],
    ['two names, the same', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"echo"}}'],
    ['two ids', '{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/call","params":{"name":"echo"}}'],
    ['two versions', '{"jsonrpc":"2.0","jsonrpc":"1.0","id":1,"method":"ping"}'],
    [
      'two of the same argument',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":{"b":[{"c":1,"c":2}]}}}}',
    ],
    [
      'two of the same key, by an escape',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":1,"\\u0061":2}}}',
    ],
    ['Method', '{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call","params":{"name":"drop_db"}}'],
    ['METHOD before method', '{"METHOD":"tools/call","jsonrpc":"2.0","id":1,"method":"ping","params":{"name":"drop_db"}}'],
    ['Params', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"},"Params":{"name":"drop_db"}}'],
    ['PARAMS alone', '{"jsonrpc":"2.0","id":1,"method":"ping","PARAMS":{"name":"echo"}}'],
    ['Id', '{"jsonrpc":"2.0","Id":1,"method":"tools/call","params":{"name":"echo"}}'],
    ['JSONRPC', '{"jsonrpc":"2.0","JSONRPC":"1.0","id":1,"method":"ping"}'],
    ['a long s', '{"jsonrpc":"2.0","id":1,"method":"ping","param\u017f":{"name":"drop_db"}}'],
    [
      'a Kelvin sign in _meta',
      '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"io.modelcontextprotocol/protocolVer\u017fion":"2025-11-25"}}}',
    ],
    ['Name', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","Name":"drop_db"}}'],
    ['NAME first', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"NAME":"drop_db","name":"echo"}}'],
    ['Uri', '{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///a","URI":"file:///secret/b"}}'],
    ['Arguments', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{},"Arguments":{}}}'],
    [
      'Ref',
      '{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"a"},"Ref":{"type":"ref/prompt","name":"secret"}}}',
    ],
    [
      'Name of a reference',
      '{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"a","Name":"secret"}}}',
    ],
    [
      'URI of a reference',
      '{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/resource","uri":"file:///a","URI":"file:///secret/b"}}}',
    ],
    [
      'Type of a reference',
      '{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"a","Type":"ref/resource","uri":"file:///secret/b"}}}',
    ],
    [
      'Notifications',
      '{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{},"Notifications":{"resourceSubscriptions":["file:///secret/a"]}}}',
    ],
    [
      'resourcesubscriptions',
      '{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["file:///a"],"resourcesubscriptions":["file:///secret/a"]}}}',
    ],
    [
      'resourcesubscriptions alone',
      '{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"RESOURCESUBSCRIPTIONS":["file:///secret/a"]}}}',
    ],
    [
      'a key that ends at a NUL for some',
      '{"method\\u0000":"tools/call","jsonrpc":"2.0","id":1,"method":"ping","params":{"name":"drop_db"}}',
    ],
    [
      'a key that ends at a NUL for some, further in',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name\\u0000x":"drop_db","name":"echo"}}',
    ],
    ['Method in a response', '{"jsonrpc":"2.0","id":1,"result":{},"Method":"tools/call","Params":{"name":"drop_db"}}'],
    ['Result in a request', '{"jsonrpc":"2.0","id":1,"method":"ping","Result":{}}'],
  ])('%s', async (_what, body) => {
    await checkAttempt(stage, { body }, ambiguous)
  })

  it.each([
    ['a lone surrogate in the name', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"drop_db\\ud800"}}'],
    ['a lone surrogate in a key', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","\\udc00":1}}'],
    [
      'more nesting than anybody needs',
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":${'['.repeat(127)}${']'.repeat(127)}}}`,
    ],
    ['endless nesting', '['.repeat(4_000_000)],
    ['endless nesting of objects', '{"a":'.repeat(500_000)],
  ])('%s', async (_what, body) => {
    await checkAttempt(stage, { body }, ambiguous)
  })

  it('nesting up to the limit passes', async () => {
    const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":${'['.repeat(126)}${']'.repeat(126)}}}`
    await checkAttempt(stage, { body }, { status: 200 })
  })
})

describe('a body that is not one JSON value in UTF-8 is refused', () => {
  const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}'
  const forbidden = '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"drop_db"}}'
  it.each<[string, string | Buffer]>([
    ['two values', `${ping}${forbidden}`],
    ['two values with a space', `${ping} ${forbidden}`],
    ['two lines', `${ping}\n${forbidden}`],
    ['two lines with a carriage return', `${ping}\r\n${forbidden}\r\n`],
    ['a record separator', `\u001e${ping}`],
    ['a comma behind', `${ping},`],
    ['a brace behind', `${ping}}`],
    ['a NUL behind', `${ping}\0`],
    ['a NUL and another value behind', `${ping}\0${forbidden}`],
    ['a no-break space behind', `${ping}\u00a0`],
    ['a form feed before', `\f${ping}`],
    ['a line separator behind', `${ping}\u2028`],
    ['a comment', `${ping}/* */`],
    ['a comment inside', '{"jsonrpc":"2.0","id":1,/*"method":"ping"*/"method":"ping"}'],
    ['a line comment', `//\n${ping}`],
    ['a byte order mark', `\ufeff${ping}`],
    ['UTF-16', Buffer.from(ping, 'utf16le')],
    ['UTF-16 with a byte order mark', Buffer.concat([Buffer.of(0xff, 0xfe), Buffer.from(ping, 'utf16le')])],
    ['UTF-32', Buffer.from([...ping].flatMap((character) => [0, 0, 0, character.charCodeAt(0)]))],
    ['Latin-1', Buffer.from('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"h\u00e4"}}', 'latin1')],
    ['a raw 0xFF', Buffer.from('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\u00ff"}}', 'latin1')],
    [
      'an overlong slash',
      Buffer.concat([Buffer.from('{"jsonrpc":"2.0","id":1,"method":"tools'), Buffer.of(0xc0, 0xaf), Buffer.from('call"}')]),
    ],
    [
      'a surrogate in UTF-8',
      Buffer.concat([Buffer.from('{"jsonrpc":"2.0","id":1,"method":"a'), Buffer.of(0xed, 0xa0, 0x80), Buffer.from('"}')]),
    ],
    ['UTF-8 that breaks off', Buffer.concat([Buffer.from(ping), Buffer.of(0xe2, 0x82)])],
    ['nothing', Buffer.alloc(0)],
    ['white space', ' \n\t'],
    ['single quotes', "{'jsonrpc':'2.0','id':1,'method':'ping'}"],
    ['keys without quotes', '{jsonrpc:"2.0",id:1,method:"ping"}'],
    ['a final comma', '{"jsonrpc":"2.0","id":1,"method":"ping",}'],
    ['a line break in a string', '{"jsonrpc":"2.0","id":1,"method":"pi\nng"}'],
    ['a hexadecimal number', '{"jsonrpc":"2.0","id":0x1,"method":"ping"}'],
    ['a number with a plus', '{"jsonrpc":"2.0","id":+1,"method":"ping"}'],
    ['a number with a leading zero', '{"jsonrpc":"2.0","id":01,"method":"ping"}'],
    ['NaN', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"x":NaN}}}'],
    ['Infinity', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"x":-Infinity}}}'],
    ['a body that breaks off', ping.slice(0, -1)],
    ['an event', `data: ${ping}\n\n`],
    ['a header and a body', `Content-Length: 40\r\n\r\n${ping}`],
    ['XML', '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><x>&y;</x>'],
  ])('%s', async (_what, body) => {
    await checkAttempt(stage, { body }, unreadable)
  })
})

describe('a message that is none, or could be two kinds of message, is refused', () => {
  const message = (members: Record<string, unknown>) => ({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name: 'echo' },
    ...members,
  })
  const bodies: [string, unknown][] = [
    ['a string', '"tools/call"'],
    ['a number', '1'],
    ['null', 'null'],
    ['true', 'true'],
    ['an empty object', {}],
    ['version 1.0', message({ jsonrpc: '1.0' })],
    ['version 2.0 as a number', message({ jsonrpc: 2 })],
    ['no version', message({ jsonrpc: undefined })],
    ['id null', message({ id: null })],
    ['id true', message({ id: true })],
    ['id 1.5', message({ id: 1.5 })],
    ['id 1.01', '{"jsonrpc":"2.0","id":1.01,"method":"ping"}'],
    ['id 1e2', '{"jsonrpc":"2.0","id":1e2,"method":"ping"}'],
    ['id 2^53 + 1', '{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}'],
    ['id 1e400', '{"jsonrpc":"2.0","id":1e400,"method":"ping"}'],
    ['an id of a megabyte', message({ id: 'x'.repeat(1_000_000) })],
    ['an id of a thousand digits', `{"jsonrpc":"2.0","id":1${'0'.repeat(1000)},"method":"ping"}`],
    ['id as an object', message({ id: { toString: 'x' } })],
    ['id as a list', message({ id: [1] })],
    ['a method that is a list', message({ method: ['tools/call'] })],
    ['a method that is an object', message({ method: { toString: 'tools/call' } })],
    ['a method that is null', message({ method: null })],
    ['a method that is a number', message({ method: 1 })],
    ['an empty method', message({ method: '' })],
    ['a method with a NUL', message({ method: 'tools/call\0' })],
    ['a call and a result', message({ result: {} })],
    ['a call and an error', message({ error: { code: 1, message: '' } })],
    ['a result and an error', { jsonrpc: '2.0', id: 1, result: {}, error: { code: 1, message: '' } }],
    ['a result without an id', { jsonrpc: '2.0', result: {} }],
    ['a result with id null', { jsonrpc: '2.0', id: null, result: {} }],
    ['neither', { jsonrpc: '2.0', id: 1 }],
  ]
  it.each(bodies)('%s', async (_what, body) => {
    await checkAttempt(stage, { body }, invalid)
  })

  const params: [string, unknown][] = [
    ['params as a list', message({ params: ['drop_db'] })],
    ['params null', message({ params: null })],
    ['params as a string', message({ params: '{"name":"drop_db"}' })],
    ['no params', message({ params: undefined })],
    ['no name', message({ params: {} })],
    ['a name that is a list', message({ params: { name: ['drop_db'] } })],
    ['a name that is an object', message({ params: { name: { toString: 'drop_db' } } })],
    ['a name that is null', message({ params: { name: null } })],
    ['a name that is a number', message({ params: { name: 1 } })],
    ['a name that ends at a NUL for some', message({ params: { name: 'drop_db\0' } })],
    ['a URI that ends at a NUL for some', message({ method: 'resources/read', params: { uri: 'file:///secret/a\0' } })],
    ['a prompt that ends at a NUL for some', message({ method: 'prompts/get', params: { name: 'secret\0x' } })],
    ['a URI that is a list', message({ method: 'resources/read', params: { uri: ['file:///secret/a'] } })],
    ['a URI that is an object', message({ method: 'resources/subscribe', params: { uri: { href: 'file:///secret/a' } } })],
    ['a reference that is a string', message({ method: 'completion/complete', params: { ref: 'secret' } })],
    ['a reference of no type', message({ method: 'completion/complete', params: { ref: { name: 'secret' } } })],
    [
      'a reference of an unknown type',
      message({ method: 'completion/complete', params: { ref: { type: 'ref/tool', name: 'drop_db' } } }),
    ],
    [
      'a reference that ends at a NUL for some',
      message({ method: 'completion/complete', params: { ref: { type: 'ref/prompt', name: 'secret\0' } } }),
    ],
    [
      'subscriptions as an object',
      message({
        method: 'subscriptions/listen',
        params: { notifications: { resourceSubscriptions: { 0: 'file:///secret/a' } } },
      }),
    ],
    [
      'subscriptions that are no strings',
      message({ method: 'subscriptions/listen', params: { notifications: { resourceSubscriptions: [['file:///secret/a']] } } }),
    ],
    [
      'a filter that is a list',
      message({ method: 'subscriptions/listen', params: { notifications: ['resourceSubscriptions'] } }),
    ],
    ['metadata that is a list', message({ params: { name: 'echo', _meta: [] } })],
    ['metadata that is null', message({ params: { name: 'echo', _meta: null } })],
  ]
  it.each(params)('%s, with the code and the id that tell the client so', async (_what, body) => {
    await checkAttempt(stage, { body }, { status: 400, code: 'params_invalid', rpc: -32602, id: 1 })
  })
})

describe('members beside arguments', () => {
  const members = (count: number) => `{${Array.from({ length: count }, (_, index) => `"${index}":1`).join(',')}}`
  const call = (params: string) => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`

  const batch = (count: number) => {
    const message = call(`{"name":"echo","_meta":${members(count)}}`)
    return `[${message},${message.replace('"id":1', '"id":2')}]`
  }

  // Where they are used, they are read again, and all other requests wait for it.
  it.each([
    ['params', call(members(10_000).replace('{', '{"name":"echo",'))],
    ['_meta', call(`{"name":"echo","_meta":${members(10_001)}}`)],
    ['notifications', call(`{"name":"echo","notifications":${members(10_001)}}`)],
    ['a message', call('{"name":"echo"}').replace('{', members(10_001).replace('}', ','))],
    ['a result', `{"jsonrpc":"2.0","id":1,"result":${members(10_001)}}`],
    ['an error', `{"jsonrpc":"2.0","id":1,"error":${members(10_001)}}`],
    ['all messages of a batch', batch(5001)],
  ])('of more than 10,000 are refused: in %s', async (_where, body) => {
    await checkAttempt(stage, { body }, invalid)
  })

  it('may be thousands, and in arguments as many as a body can hold', async () => {
    const body = call(`{"name":"echo","arguments":${members(100_000)},"_meta":${members(9000)}}`)
    await checkAttempt(stage, { body }, { status: 200 })
    await checkAttempt(stage, { body: batch(4900) }, { status: 200 })
  })
})

describe('a forbidden target is refused however it is written', () => {
  it.each([
    ['with escapes', '{"jsonrpc":"2.0","id":1,"method":"tools\\/call","params":{"name":"\\u0064rop\\u005fdb"}}'],
    [
      'with everything escaped',
      '{"jsonrpc":"2.0","\\u0069d":1,"\\u006dethod":"\\u0074ools/call","p\\u0061rams":{"n\\u0061me":"drop_db"}}',
    ],
    [
      'with white space',
      ' \r\n\t{ "jsonrpc" : "2.0" , "id" : 1 , "method" : "tools/call" , "params" : { "name" : "drop_db" } } \n',
    ],
    [
      'with the name last',
      '{"params":{"arguments":{"name":"echo","x":"}"},"name":"drop_db"},"method":"tools/call","id":1,"jsonrpc":"2.0"}',
    ],
    [
      'with names of prototypes around it',
      '{"__proto__":{"method":"ping"},"constructor":1,"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"__proto__":{"name":"echo"},"hasOwnProperty":1,"name":"drop_db"}}',
    ],
    ['as a notification', '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"drop_db"}}'],
    [
      'with other members',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"drop_db","task":{"ttl":1},"uri":"file:///a","ref":{"type":"ref/prompt","name":"a"}},"extra":{"method":"ping"}}',
    ],
  ])('%s', async (_what, body) => {
    await checkAttempt(stage, { body }, { ...denied, scope: 'db:admin mcp:tools' })
  })

  it.each([
    'drop_db ',
    ' drop_db',
    'Drop_db',
    'drop\u005fdb\u200b',
    '../drop_db',
    'drop_db/',
    'dr\u043ep_db',
    'drop_db\n',
    'ｄrop_db',
  ])('%j is another name, and arrives as such', async (name) => {
    await checkAttempt(stage, { body: createCall('tools/call', { name }) }, { status: 200 })
  })
})

describe('ids', () => {
  it.each(['0', '-1', '9007199254740991', '"a"', '""', '"1"', '"\\u0061\\n\\"<script>"', '"\u2028\u{1f680}"', '-0'])(
    '%s comes back in a refusal as it was written',
    async (id) => {
      const body = `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"drop_db"}}`
      const answer = await checkAttempt(stage, { body }, { ...denied, scope: 'db:admin mcp:tools', id: JSON.parse(id) })
      expect(answer.body.toString()).toContain(`"id":${id},`)
    },
  )
})

describe('what passes arrives byte for byte', () => {
  it.each([
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"n":9007199254740993}}}',
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"n":[1e400,-0,1E+2,0.10,123456789012345678901234567890]}}}',
    ' {\n"jsonrpc"\t:"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"s":"\\u0041\\/ \u2028\u{1f680}\u0000"}}}\r\n '.replace(
      '\u0000',
      '',
    ),
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"Name":1,"NAME":2,"method":"x","Method":"y"},"name":"echo"}}',
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"__proto__":{"polluted":true},"constructor":{"prototype":{}}}}}',
  ])('%s', async (body) => {
    await checkAttempt(stage, { body }, { status: 200 })
    expect({}).not.toHaveProperty('polluted')
  })
})
