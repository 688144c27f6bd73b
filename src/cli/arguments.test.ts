import { describe, expect, it } from 'vitest'
import { parseArguments } from './arguments.ts'
import { UsageError } from './usage-error.ts'

const parse = (...argv: string[]) => {
  const { values, ...rest } = parseArguments(argv)
  return { ...rest, values: Object.fromEntries(values) }
}

const plain = {
  command: 'serve',
  debug: false,
  stdio: false,
  asgardeo: false,
  demo: false,
  server: undefined,
  file: undefined,
  add: false,
  json: false,
  noSecrets: false,
  block: false,
  open: false,
  entry: false,
  values: {},
}

describe('the command line', () => {
  it('serves unless another command is named', () => {
    expect(parse()).toEqual(plain)
    expect(parse('serve')).toEqual(plain)
    expect(parse('check', '--config', 'a.yaml')).toEqual({ ...plain, command: 'check', values: { config: ['a.yaml'] } })
    expect(parse('--config=a.yaml', 'check')).toEqual({ ...plain, command: 'check', values: { config: ['a.yaml'] } })
    expect(parse('migrate', 'old.yaml')).toEqual({ ...plain, command: 'migrate', file: 'old.yaml' })
  })

  it.each(['serve', 'check', 'doctor', 'reload'])('%s takes its file with --config and without', (command) => {
    expect(parse(command, 'a.yaml').values).toEqual({ config: ['a.yaml'] })
    expect(parse(command, '--config', 'a.yaml').values).toEqual({ config: ['a.yaml'] })
  })

  it('does not take a word for a command after help that is none', () => {
    expect(() => parse('help', 'frobnicate')).toThrow(/Unknown command "frobnicate"/)
    expect(() => parse('help', 'key')).toThrow(/Did you mean keys/)
  })

  it.each(['help', 'version'])('understands %s as a word, too', (word) => {
    expect(parse(word)).toEqual(parse(`--${word}`))
    expect(parse(word, 'serve').command).toBe(word)
  })

  it('knows which command help is wanted for', () => {
    expect(parse('keys', 'create', '--help').topic).toBe('keys')
    expect(parse('help', 'keys')).toEqual(parse('keys', '--help'))
  })

  it('takes issuers, audiences and scopes several times', () => {
    expect(parse('--upstream', 'u', '--issuer', 'a', '--issuer=b', '--scope', 's').values).toEqual({
      upstream: ['u'],
      issuer: ['a', 'b'],
      scope: ['s'],
    })
  })

  it('leaves what stands behind -- to the MCP server', () => {
    expect(parse('--debug', '--issuer', 'i', '--', 'npx', '-y', 'server', '--help', '--', '--debug')).toEqual({
      ...plain,
      debug: true,
      values: { issuer: ['i'] },
      server: ['npx', '-y', 'server', '--help', '--', '--debug'],
    })
    expect(parse('-stdio', '-debug=false')).toEqual({ ...plain, stdio: true })
  })

  it.each([['--help'], ['-h'], ['-help'], ['--debug', '--help'], ['check', '--help'], ['--demo', '--help']])(
    'shows the help: %j',
    (...argv) => {
      expect(parse(...argv).command).toBe('help')
    },
  )

  it('takes one dash for two, and =true and =false, as the Go proxy did', () => {
    expect(parse('-debug').debug).toBe(true)
    expect(parse('--debug=true').debug).toBe(true)
    expect(parse('-debug=false').debug).toBe(false)
    expect(parse('-demo=false')).toEqual(plain)
    expect(parse('-asgardeo')).toEqual({ ...plain, asgardeo: true })
    expect(parse('-demo')).toEqual({ ...plain, demo: true })
  })

  it.each([
    [['--upstreem', 'x'], /Did you mean --upstream/],
    [['-x'], /Unknown flag/],
    [['--zzzzzz'], /See --help/],
    [['chek'], /Did you mean check/],
    [['--config'], /needs a value/],
    [['--config', '--debug'], /needs a value/],
    [['--config='], /needs a value/],
    [['explain', '--request', '-x1'], /--request=…/],
    [['--config', 'a', '--config', 'b'], /twice/],
    [['--debug=maybe'], /on or off/],
    [['serve', 'a', 'b'], /Unexpected argument "b"/],
    [['check', 'a', '--config', 'b'], /Unexpected argument "a" beside/],
    [['schema', 'more'], /Unexpected argument "more"/],
    [['migrate'], /Name the file/],
    [['migrate', 'a', 'b'], /Unexpected argument "b"/],
    [['schema', '--debug'], /takes no flags/],
    [['--demo', '--asgardeo'], /two places/],
    [['--'], /command is missing/],
    [['migrate', 'a', '--', 'b'], /takes no/],
  ])('refuses %j and says why', (argv, said) => {
    expect(() => parse(...argv)).toThrow(UsageError)
    expect(() => parse(...argv)).toThrow(said)
  })
})

describe('what newcomers try', () => {
  it.each([
    [['--upstream', '--issuer', 'https://idp.example.com'], '--upstream needs a value.'],
    [['--upstream', 'http://localhost:8000', '--issuer'], '--issuer needs a value.'],
    [['-v'], 'Unknown flag -v. --version prints the version, --debug logs more.'],
    [['-p', '8080'], 'Unknown flag -p. See --help.'],
    [
      ['--issuer', 'https://idp.example.com', 'npx', '-y', 'some-mcp-server'],
      'Unknown flag -y. The command that starts the MCP server goes behind --: `-- npx -y some-mcp-server`.',
    ],
    [
      ['--issuer=https://idp.example.com', 'uvx', 'some-mcp-server', '--port', '1'],
      'Unknown command "uvx". The command that starts the MCP server goes behind --: `-- uvx some-mcp-server --port 1`.',
    ],
    [['rules', 'tset', 'cases.yaml'], 'Unknown word "tset". Name the files with cases: rules test FILE….'],
    [['audit', 'check', 'audit.jsonl'], 'Unknown word "check". Name the files of the audit log: audit verify FILE….'],
    [['start'], 'Unknown command "start". Did you mean serve?'],
    [['run', 'config.yaml'], 'Unknown command "run". Did you mean serve?'],
    [['validate'], 'Unknown command "validate". Did you mean check?'],
    [['config.yaml'], 'Unknown command "config.yaml". To start with that file: serve config.yaml.'],
    [
      ['http://localhost:8000/mcp'],
      'Unknown command "http://localhost:8000/mcp". The URL of an MCP server goes behind --upstream, that of an issuer behind --issuer.',
    ],
  ])('%j gets the sentence that helps', (argv, said) => {
    expect(() => parseArguments(argv)).toThrow(new UsageError(said))
  })
})
