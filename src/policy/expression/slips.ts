import type { Use } from './names.ts'
import { parseSyntax, type Syntax } from './syntax.ts'

/**
 * What an expression says that its author probably did not mean. No mistakes, since it may be meant all the same.
 *
 * @param source - an expression that compiles
 * @returns what each means, and what to write instead
 */
export function findSlips(source: string, use: Use): readonly string[] {
  const nodes = listNodes(parseSyntax(source, use).root)
  const leavesFolder = !nodes.some((node) => readText(node)?.includes('..'))
  const found = nodes.flatMap((node) => [
    ...findComparedStars(node, source),
    ...findTest(node, source).flatMap((test) => [...findSlipsOfTest(test), ...(leavesFolder ? findFolder(test) : [])]),
  ])
  return [...new Set([...found, ...findUnverifiedMail(nodes, source), ...findScopesInOneText(nodes, source)])]
}

function listNodes(node: Syntax): readonly Syntax[] {
  return [node, ...listParts(node.args).flatMap(listNodes)]
}

function listParts(args: unknown): readonly Syntax[] {
  if (Array.isArray(args)) return args.flatMap(listParts)
  return typeof args === 'object' && args !== null && 'op' in args ? [args as Syntax] : []
}

function readText(node: Syntax | undefined): string | undefined {
  return node?.op === 'value' && typeof node.args === 'string' ? node.args : undefined
}

const writeNode = ({ start, end }: Syntax, source: string): string => source.slice(start, end)

const STAR = /\*./s

/** In comparisons a star stands for itself, so that one which is to let little in lets in nothing, and one which is to keep out does not. */
function findComparedStars({ op, args }: Syntax, source: string): readonly string[] {
  if (op !== '==' && op !== '!=' && op !== 'in') return []
  const [left, right] = args
  const items = right.op === 'list' ? right.args : [right]
  const star = [left, ...items].find((node) => isStarred(readText(node)))
  if (star === undefined) return []
  const text = writeNode(star, source)
  const meant = star === left && op === 'in' ? `${writeNode(right, source)}.exists(x, x.glob(${text}))` : `glob(${text})`
  return [`${text} is compared letter by letter, \`*\` too. For a pattern write ${meant}.`]
}

/** A star alone may be a value of its own. */
function isStarred(text: string | undefined): boolean {
  return text !== undefined && (STAR.test(text) || (text.endsWith('*') && text.length > 1))
}

/** How a text is compared with one that stands in the expression. */
interface TextTest {
  readonly name: string
  /** As it is written: `args.path`. */
  readonly subject: string
  readonly text: string
}

const TESTS: ReadonlySet<string> = new Set(['startsWith', 'endsWith', 'glob'])

function findTest(node: Syntax, source: string): readonly TextTest[] {
  if (node.op !== 'rcall' && node.op !== 'call') return []
  const [name] = node.args
  const [subject, literal] = node.op === 'rcall' ? [node.args[1], node.args[2][0]] : node.args[1]
  const text = readText(literal)
  return text === undefined || subject === undefined || !TESTS.has(name)
    ? []
    : [{ name, subject: writeNode(subject, source), text }]
}

/** What regular expressions have that names and paths have not. */
const REGULAR = /[()[\]{}|^]|(?<![A-Za-z0-9*])\.\*/

function findSlipsOfTest({ name, text }: TextTest): readonly string[] {
  if (name === 'glob')
    return REGULAR.test(text)
      ? [`glob('${text}') is no regular expression: \`*\` stands for any characters, all else for itself.`]
      : []
  if (isStarred(text)) return [`${name}('${text}') compares letter by letter, \`*\` too. For a pattern write glob('…').`]
  if (name === 'startsWith' && /^https?:\/\/[^/?#]+$/.test(text))
    return [`startsWith('${text}') also holds for ${text}.evil.example. Write '${text}/'.`]
  if (name === 'endsWith' && /^[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)+$/i.test(text))
    return [`endsWith('${text}') also holds for evil${text}. Write '@${text}' for addresses, '.${text}' for hosts.`]
  return []
}

/** An absolute path of one folder at least. */
const PATH = /^(?:file:\/\/)?\/[^/*]/

function findFolder({ name, subject, text }: TextTest): readonly string[] {
  if (name === 'endsWith' || !PATH.test(text) || text.includes('*') !== (name === 'glob')) return []
  return [
    `${name}('${text}') looks at the letters of a path, in which \`..\` may lead elsewhere. Add && !${subject}.contains('..').`,
  ]
}

/** "the means by which an e-mail address is verified is context specific" (OpenID Connect Core 1.0 §5.1, email_verified). */
function findUnverifiedMail(nodes: readonly Syntax[], source: string): readonly string[] {
  if (source.includes('email_verified') || !nodes.some((node) => readClaim(node, source) === 'email')) return []
  return [
    'principal.claims.email may be what the user typed. Add && principal.claims.email_verified == true, or use `claim: email` of an access entry, which asks for that.',
  ]
}

/** "a JSON string containing a space-separated list of scopes" (RFC 9068 §2.2.3, RFC 8693 §4.2). */
function findScopesInOneText(nodes: readonly Syntax[], source: string): readonly string[] {
  const claim = nodes.map((node) => readClaim(node, source)).find((name) => name === 'scope' || name === 'scp')
  if (claim === undefined) return []
  return [
    `principal.claims.${claim} has all scopes in one text at most issuers, of which one may begin like another. Write 'read' in principal.scopes.`,
  ]
}

/** The name of the claim that a part of an expression reads. */
function readClaim(node: Syntax, source: string): string | undefined {
  if (node.op !== '.' && node.op !== '[]') return undefined
  const [owner, member] = node.args
  if (writeNode(owner, source) !== 'principal.claims') return undefined
  return typeof member === 'string' ? member : readText(member)
}
