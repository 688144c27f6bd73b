import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Attempt, checkAttempt, createCall, createModern, type Stage, startStage } from '../support/stage.ts'

let stage: Stage
beforeAll(async () => {
  stage = await startStage()
})
afterAll(() => stage.close())

type Pairs = NonNullable<Attempt['headers']>
const modern = '2026-07-28'
const mismatch = { status: 400, code: 'header_mismatch', rpc: -32020, id: 1 }

/** A call of 2026-07-28 with these headers beside the version. */
function call(headers: Pairs, name = 'echo', method = 'tools/call'): Attempt {
  const { body } = createModern(method, { name })
  return { headers: [['MCP-Protocol-Version', modern], ...headers], body }
}

const base64 = (text: string | Buffer) => `=?base64?${Buffer.from(text).toString('base64')}?=`

describe('headers that say something else than the body are refused', () => {
  it.each<[string, Pairs, string?]>([
    ['a harmless method, and a call in the body', [['Mcp-Method', 'ping']]],
    [
      'another name',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', 'safe'],
      ],
      'drop_db',
    ],
    [
      'a forbidden name, and a permitted one in the body',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', 'drop_db'],
      ],
    ],
    ['no method', [['Mcp-Name', 'echo']]],
    ['no name', [['Mcp-Method', 'tools/call']]],
    [
      'an empty name',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', ''],
      ],
    ],
    [
      'an empty method',
      [
        ['Mcp-Method', ''],
        ['Mcp-Name', 'echo'],
      ],
    ],
    [
      'the method in upper case',
      [
        ['Mcp-Method', 'TOOLS/CALL'],
        ['Mcp-Name', 'echo'],
      ],
    ],
    [
      'the name in another case',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', 'Echo'],
      ],
    ],
    [
      'the method as a list',
      [
        ['Mcp-Method', 'tools/call, ping'],
        ['Mcp-Name', 'echo'],
      ],
    ],
    [
      'the name as a list',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', 'echo, drop_db'],
      ],
    ],
    [
      'the name with quotes',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', '"echo"'],
      ],
    ],
    [
      'the name with escapes',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', '%65cho'],
      ],
    ],
    [
      'the method with a final slash',
      [
        ['Mcp-Method', 'tools/call/'],
        ['Mcp-Name', 'echo'],
      ],
    ],
    [
      'another name in Base64',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', base64('drop_db')],
      ],
    ],
    [
      'the name in Base64 without padding',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', '=?base64?ZWNobw?='],
      ],
    ],
    [
      'the name in Base64 with bits left over',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', '=?base64?ZWNobx==?='],
      ],
    ],
    [
      'the name in Base64 with a space',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', '=?base64?ZWNo bw==?='],
      ],
    ],
    [
      'the name in Base64 with a stray character',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', '=?base64?ZWN*obw==?='],
      ],
    ],
    [
      'the name in the URL alphabet',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', '=?base64?fn5-?='],
      ],
      '~~~',
    ],
    [
      'invalid UTF-8 in Base64',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', base64(Buffer.of(0xff))],
      ],
      '\ufffd',
    ],
    [
      'an overlong spelling in Base64',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', base64(Buffer.of(0xc1, 0xa1))],
      ],
      'a',
    ],
    [
      'a surrogate in Base64',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', base64(Buffer.of(0xed, 0xa0, 0x80))],
      ],
      '\ufffd',
    ],
    [
      'Base64 in Base64',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', base64(base64('echo'))],
      ],
    ],
    [
      'a name that looks like Base64, as it stands',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', base64('echo')],
      ],
      base64('echo'),
    ],
    [
      'the sentinel in upper case',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', '=?BASE64?ZWNobw==?='],
      ],
    ],
    [
      'a method in Base64, which only names may be',
      [
        ['Mcp-Method', base64('tools/call')],
        ['Mcp-Name', 'echo'],
      ],
    ],
    [
      'a name with letters outside ASCII, as it stands',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', 'h\u00e4'],
      ],
      'h\u00e4',
    ],
    [
      'a name with spaces around it, as it stands',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', ' echo '],
      ],
      ' echo ',
    ],
    [
      'a homoglyph',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', base64('\u0435cho')],
      ],
    ],
    [
      'another normal form',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', base64('e\u0301')],
      ],
      '\u00e9',
    ],
    [
      'a byte order mark before the name',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', base64('\ufeffecho')],
      ],
    ],
    [
      'a NUL behind the name',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', base64('echo\0')],
      ],
    ],
  ])('%s', async (_what, headers, name) => {
    await checkAttempt(stage, call(headers, name), mismatch)
  })

  it.each([
    ['Mcp-Method', 'tools/call', 'tools/call'],
    ['Mcp-Method', 'ping', 'tools/call'],
    ['Mcp-Name', 'echo', 'echo'],
    ['Mcp-Name', 'echo', 'drop_db'],
  ])('two fields %s, %j and %j', async (name, one, other) => {
    const { headers = [] } = call([
      ['Mcp-Method', 'tools/call'],
      ['Mcp-Name', 'echo'],
    ])
    const rest = headers.filter(([field]) => field !== name)
    const twice = [...rest, [name, one], [name.toLowerCase(), other]] as const
    await checkAttempt(stage, { ...call([]), headers: twice }, mismatch)
  })

  it('a resource by another URI', async () => {
    const { headers = [], body } = createModern('resources/read', { uri: 'file:///secret' })
    for (const uri of ['file:///public', 'file:///secret/', 'FILE:///secret', 'file:///%73ecret', 'file:///public/../secret']) {
      const lie = headers.map(([name, value]) => [name, name === 'Mcp-Name' ? uri : value] as const)
      await checkAttempt(stage, { headers: lie, body }, mismatch)
    }
  })
})

describe('headers that say what the body says pass, and arrive as they were sent', () => {
  it.each<[string, Pairs, string?]>([
    [
      'as they stand',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', 'echo'],
      ],
    ],
    [
      'in Base64, though it need not be',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', base64('echo')],
      ],
    ],
    [
      'letters outside ASCII in Base64',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', base64('Stra\u00dfe \ud83d\ude80')],
      ],
      'Stra\u00dfe \ud83d\ude80',
    ],
    [
      'a name that looks like Base64, in Base64',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', base64(base64('echo'))],
      ],
      base64('echo'),
    ],
    [
      'spaces around the name, in Base64',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', base64(' echo ')],
      ],
      ' echo ',
    ],
    [
      'half a sentinel is none',
      [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', '=?base64?ZWNobw=='],
      ],
      '=?base64?ZWNobw==',
    ],
  ])('%s', async (_what, headers, name) => {
    await checkAttempt(stage, call(headers, name), { status: 200 })
  })

  it('with white space around the values, which is not part of them', async () => {
    const attempt = call([
      ['Mcp-Method', ' \ttools/call \t'],
      ['Mcp-Name', '  echo  '],
    ])
    const arrives = [
      ['MCP-Protocol-Version', modern],
      ['Mcp-Method', 'tools/call'],
      ['Mcp-Name', 'echo'],
    ] as const
    await checkAttempt(stage, attempt, { status: 200, headers: arrives })
  })

  it('beside parameters in headers, which only the MCP server knows', async () => {
    const headers = [
      ['Mcp-Method', 'tools/call'],
      ['Mcp-Name', 'echo'],
      ['Mcp-Param-Count', '42.0'],
      ['Mcp-Param-Region', base64('us-west1')],
      ['Mcp-Param-Nobody-Knows', '=?base64?!?='],
    ] as const
    await checkAttempt(stage, call(headers), { status: 200 })
  })
})

describe('with a revision before 2026-07-28, headers that the body does not bear out end here', () => {
  const olderVersions = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05', undefined]
  const versionHeader = (version: string | undefined): Pairs => (version === undefined ? [] : [['MCP-Protocol-Version', version]])
  const arrives = (headers: Pairs) => ({ status: 200, headers })
  const forbidden = { status: 403, code: 'scope_insufficient', scope: 'db:admin mcp:tools', id: 1 }

  describe.each(olderVersions)('%s', (version) => {
    const own = versionHeader(version)

    it.each<[string, Pairs, Pairs]>([
      ['another method', [['Mcp-Method', 'ping']], []],
      ['another name', [['Mcp-Name', 'drop_db']], []],
      ['the name in another case', [['Mcp-Name', 'ECHO']], []],
      ['a name that cannot be read', [['Mcp-Name', '=?base64?ZWNobw?=']], []],
      [
        'empty values',
        [
          ['Mcp-Method', ''],
          ['Mcp-Name', ''],
        ],
        [],
      ],
      [
        'a good method beside another name',
        [
          ['Mcp-Method', 'tools/call'],
          ['Mcp-Name', 'safe'],
        ],
        [['Mcp-Method', 'tools/call']],
      ],
      [
        'another method beside a good name',
        [
          ['Mcp-Method', 'ping'],
          ['Mcp-Name', base64('echo')],
        ],
        [['Mcp-Name', base64('echo')]],
      ],
      [
        'parameters, which nobody can compare',
        [
          ['Mcp-Param-Region', 'eu'],
          ['mcp-param-size', 'us'],
          ['MCP-PARAM-X!', '1'],
        ],
        [],
      ],
    ])('%s', async (_what, lies, rest) => {
      const body = createCall('tools/call', { name: 'echo', arguments: { region: 'eu' } })
      await checkAttempt(stage, { headers: [...own, ...lies], body }, arrives([...own, ...rest]))
    })

    it('policy judges the body, whatever the headers say', async () => {
      const body = createCall('tools/call', { name: 'drop_db' })
      for (const lies of [
        [['Mcp-Method', 'ping']],
        [['Mcp-Name', 'echo']],
        [
          ['Mcp-Method', 'tools/call'],
          ['Mcp-Name', 'echo'],
        ],
      ] as const) {
        await checkAttempt(stage, { headers: [...own, ...lies], body }, forbidden)
      }
    })

    it('beside a response, and beside a method that has no name', async () => {
      const lies = [
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', 'echo'],
      ] as const
      await checkAttempt(
        stage,
        { headers: [...own, ...lies], body: { jsonrpc: '2.0', id: 1, result: {} } },
        { ...arrives(own), status: 202 },
      )
      await checkAttempt(stage, { headers: [...own, ...lies], body: createCall('tools/list') }, arrives(own))
    })

    it('where there is no body', async () => {
      const headers = [...own, ['Mcp-Method', 'tools/call'], ['Mcp-Name', 'echo'], ['Mcp-Param-A', '1']] as const
      await checkAttempt(stage, { method: 'DELETE', headers }, arrives(own))
    })

    it('a body that names 2026-07-28 makes the request neither an older nor a newer one', async () => {
      const { body } = createModern('tools/call', { name: 'echo' })
      await checkAttempt(stage, { headers: [...own, ['Mcp-Method', 'ping']], body }, mismatch)
    })
  })

  it('beside a batch, whatever they say', async () => {
    const body = [createCall('tools/call', { name: 'echo' })]
    const headers = [
      ['Mcp-Method', 'tools/call'],
      ['Mcp-Name', 'echo'],
      ['Mcp-Param-A', '1'],
    ] as const
    await checkAttempt(stage, { headers, body }, arrives([]))
  })

  it.each(['', '2026-07-27', '2025-11-26', '2025-11-25, 2026-07-28', '"2025-11-25"', '1.0', '9999-12-31'])(
    'an unknown version is held to the newest rules: %j',
    async (version) => {
      const body = createCall('tools/call', { name: 'echo', _meta: { 'io.modelcontextprotocol/protocolVersion': version } })
      await checkAttempt(
        stage,
        {
          headers: [
            ['MCP-Protocol-Version', version],
            ['Mcp-Method', 'ping'],
          ],
          body,
        },
        mismatch,
      )
    },
  )
})

it('headers with underscores are ignored, and do not stand in for those with hyphens', async () => {
  const attempt = call([
    ['Mcp_Method', 'tools/call'],
    ['Mcp_Name', 'echo'],
    ['Mcp.Name', 'echo'],
  ])
  const answer = await checkAttempt(stage, attempt, mismatch)
  expect(answer.body.toString()).toContain('Header mismatch')
})
