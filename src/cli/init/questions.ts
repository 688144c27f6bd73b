import { createInterface, type Interface } from 'node:readline/promises'
import type { Arguments } from '../arguments.ts'
import type { FlagName } from '../flags.ts'
import type { Terminal } from '../terminal.ts'
import { UsageError } from '../usage-error.ts'
import { WIDTH, wrap } from '../wrap.ts'
import {
  AnswerError,
  type Answers,
  findNarrowing,
  findPublic,
  parseAllow,
  parsePlace,
  parseProvider,
  parsePublicUrl,
  parseScopes,
  parseUpstream,
} from './answers.ts'
import { PROVIDER_CHOICES, type ProviderChoice } from './providers.ts'
import { adviseOnProvider } from './recognize-issuer.ts'

/** The questions were broken off. */
export class Interrupted extends Error {}

/** How often a question is asked again. */
const MAX_TRIES = 5

/** A question, and the flag that answers it beforehand. */
interface Asked {
  readonly question: string
  readonly flag: FlagName
  /** What to do where there is no person to ask; by default to give the flag. */
  readonly advice?: string | undefined
}

/** Asks questions: a person, or a script that writes a line for each. */
interface Interview {
  /** @param otherwise - the answer where there is none; undefined where there has to be one */
  ask<T>(asked: Asked, otherwise: string | undefined, parse: (answer: string) => T): Promise<T>
}

/**
 * Asks what flags don't say already.
 *
 * @throws UsageError for an answer that cannot be, Interrupted
 */
export function askQuestions(args: Arguments, terminal: Terminal): Promise<Answers> {
  return interview(terminal, ({ ask }) => collect(args, ask, terminal))
}

/** Asks for a further server alone. See {@link askQuestions}. */
export function askServer(args: Arguments, terminal: Terminal): Promise<Pick<Answers, 'upstream' | 'scopes'>> {
  return interview(terminal, async ({ ask }) => {
    const resolve = createSettle(args, ask)
    return { upstream: await resolveUpstream(args, resolve), scopes: await resolveScopes(2, resolve) }
  })
}

async function interview<T>(terminal: Terminal, use: (interview: Interview) => Promise<T>): Promise<T> {
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: process.stdin.isTTY === true })
  try {
    return await use(createInterview(lines, terminal))
  } finally {
    lines.close()
  }
}

type Resolve = <T>(
  name: FlagName,
  question: string,
  otherwise: string | undefined,
  parse: (answer: string) => T,
  advice?: string,
) => Promise<T>

function readFlag({ values }: Arguments, name: FlagName): string | undefined {
  return values.get(name)?.join(' ')
}

/** Takes the answer of a flag, or asks. */
function createSettle(args: Arguments, ask: Interview['ask']): Resolve {
  return async (name, question, otherwise, parse, advice) => {
    const given = readFlag(args, name)
    return given === undefined ? ask({ question, flag: name, advice }, otherwise, parse) : parseFlag(given, parse)
  }
}

async function resolveUpstream({ server }: Arguments, resolve: Resolve): Promise<Answers['upstream']> {
  if (server) return { kind: 'stdio', command: server }
  return resolve('upstream', '1. What is your MCP server? A URL, or a command that starts it.', undefined, parseUpstream)
}

function resolveScopes(number: number, resolve: Resolve): Promise<Answers['scopes']> {
  const what = 'Which scopes does every request need? Scopes are permissions that clients ask for, like mcp:tools. Empty: none.'
  return resolve('scope', `${number}. ${what}`, '', parseScopes)
}

async function collect(args: Arguments, ask: Interview['ask'], terminal: Terminal): Promise<Answers> {
  const flag = (name: FlagName) => readFlag(args, name)
  const resolve = createSettle(args, ask)
  const upstream = await resolveUpstream(args, resolve)
  if (flag('provider') === undefined) for (const line of listProviders(terminal)) terminal.tell(line)
  const issuer = flag('issuer')
  const provider = await resolve(
    'provider',
    '   Which of them do users sign in with? A name or a number.',
    undefined,
    parseProvider,
    issuer && adviseOnProvider(issuer),
  )
  const place = await resolve('issuer', `3. ${provider.question}`, provider.otherwise, (text) => parsePlace(text, provider))
  const publicUrl = await resolve(
    'public-url',
    '4. Under which URL do clients reach the proxy, like https://mcp.example.com?',
    'http://localhost:8080',
    parsePublicUrl,
  )
  const settled = explainNoAllow(provider, place)
  if (settled !== undefined && flag('allow') !== undefined) throw new UsageError(`--allow: ${settled}`)
  const askAllow = () => {
    const openTo = findPublic(provider, place)
    // If the public could sign in, an empty answer is not enough to allow it.
    const usual = openTo === undefined ? 'everybody' : undefined
    return resolve('allow', `5. ${askWho(provider, openTo)}`, usual, (text) => parseAllow(text, provider))
  }
  const allow = settled === undefined ? await askAllow() : []
  const scopes = await resolveScopes(settled === undefined ? 6 : 5, resolve)
  return { upstream, provider, place, publicUrl, allow, scopes, clientId: flag('client-id') }
}

/** Why it is not asked who may sign in. */
function explainNoAllow(provider: ProviderChoice, place: Answers['place']): string | undefined {
  if (provider.choice === 'issuer') return 'Who may sign in is decided by that authorization server.'
  const narrowing = findNarrowing(provider, place)
  return narrowing && `The ${narrowing} already says who may sign in. Leave out one of the two.`
}

function askWho({ name, choice }: ProviderChoice, openTo: string | undefined): string {
  const how =
    choice === 'entra'
      ? 'Roles, groups or users (roles=NAME, groups=ID, oid=ID)'
      : 'Addresses (bob@example.com), domains (example.com) or claims (groups=admins)'
  return `Who may sign in? ${how}. Write everybody for ${openTo ?? `every user of ${name}`}.`
}

function listProviders({ paintError }: Terminal): string[] {
  const rows = PROVIDER_CHOICES.map(
    ({ choice, name }, index) => `   ${String(index + 1).padStart(2)} ${paintError('bold', choice.padEnd(9))} ${name}`,
  )
  return [
    '2. What do users sign in with?',
    ...rows,
    '   No identity provider? google and github need no more than an account there.',
    '   To try things out without any: open-mcp-auth-proxy --demo --upstream URL',
  ]
}

function parseFlag<T>(given: string, parse: (answer: string) => T): T {
  try {
    return parse(given)
  } catch (error) {
    throw error instanceof AnswerError ? new UsageError(`${JSON.stringify(given)}: ${error.message}`) : error
  }
}

function createInterview(lines: Interface, { tell, paintError }: Terminal): Interview {
  const isPerson = process.stdin.isTTY === true
  let wasInterrupted = false
  lines.on('SIGINT', () => {
    wasInterrupted = true
    lines.close()
  })
  // Not `question`: it loses what a script writes before it is asked.
  const incoming = lines[Symbol.asyncIterator]()
  const read = async (
    { question, flag, advice = `Give it with --${flag}.` }: Asked,
    otherwise: string | undefined,
  ): Promise<string> => {
    lines.setPrompt(`${wrapQuestion(`${question}${otherwise ? ` [${otherwise}]` : ''}`)}\n   > `)
    if (isPerson) lines.prompt()
    const { done, value } = await incoming.next()
    if (wasInterrupted || (done && isPerson)) throw new Interrupted()
    const answer = done ? '' : value.trim()
    if (answer === '' && otherwise === undefined && done)
      throw new UsageError(`An answer is missing: ${question.trim()} ${advice}`)
    return answer === '' ? (otherwise ?? '') : answer
  }
  return {
    async ask(asked, otherwise, parse) {
      for (let tries = 1; ; tries++) {
        const answer = await read(asked, otherwise)
        try {
          return parse(answer)
        } catch (error) {
          if (!(error instanceof AnswerError)) throw error
          if (!isPerson || tries === MAX_TRIES) throw new UsageError(`${JSON.stringify(answer)}: ${error.message}`)
          tell(`   ${paintError('red', error.message)}`)
        }
      }
    },
  }
}

/** Further lines stand under the text and not under its number. */
function wrapQuestion(question: string): string {
  return wrap(question, WIDTH - 3).join('\n   ')
}
