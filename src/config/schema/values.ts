import { z } from 'zod'
import {
  findHeaderNameMistake,
  findScopeMistake,
  findSecretFileMistake,
  findVariableMistake,
  type MistakeFinder,
} from '../format/formats.ts'
import type { Mistake } from '../problem/problem.ts'

/** Longest duration, a day; longer ones are asked for by name. */
const DAY = 86_400

/** A text that a finder finds nothing wrong with. The mistake carries the finder's fix. */
export function text(find: MistakeFinder) {
  return z.string().superRefine((value, context) => {
    const mistake = find(value)
    if (mistake) context.addIssue(toIssue(mistake))
  })
}

/** A zod issue that keeps the fix for `schema-problems.ts`. */
export function toIssue(mistake: Mistake) {
  return { code: 'custom' as const, message: mistake.reason, params: { fix: mistake.fix } }
}

/** Seconds; fractions are possible. */
export function seconds(longest = DAY) {
  return z.number().min(0.001).max(longest)
}

/** A whole number. Not `z.int()`: its finding would keep the checks of the surrounding block from running. */
export function whole(least: number, most: number) {
  return z
    .number()
    .min(least)
    .max(most)
    .superRefine((value, context) => {
      if (!Number.isInteger(value))
        context.addIssue(toIssue({ reason: 'is not a whole number', fix: 'Write it without a fraction.' }))
    })
    .meta({ type: 'integer' })
}

/** A list that holds nothing twice. */
export function list<T extends z.ZodType>(item: T) {
  return z.array(item).superRefine((values, context) => {
    const first = values.findIndex((value, index) => typeof value === 'string' && values.indexOf(value) !== index)
    if (first < 0) return
    context.addIssue({ ...toIssue({ reason: 'is listed twice', fix: 'Remove one of the two.' }), path: [first] })
  })
}

export const scopes = () => list(text(findScopeMistake))
export const headerNames = () => list(text(findHeaderNameMistake))

/** Told for a secret that stands in the file, whatever it is; the value is never repeated. */
export const LITERAL_SECRET: Mistake = {
  reason: 'is a secret in plain text',
  fix: "Don't put secrets in the configuration file. Write { env: NAME } for an environment variable, or { file: path } for a file that contains only the secret.",
}

const secretShape = {
  env: text(findVariableMistake)
    .optional()
    .describe('Name of the environment variable that holds it; one final line break is left out.'),
  file: text(findSecretFileMistake).optional().describe('File that holds it and nothing else; one final line break is left out.'),
}

function hasOneSource(value: { env?: string | undefined; file?: string | undefined }): boolean {
  return (value.env === undefined) !== (value.file === undefined)
}

const oneSource = {
  error: 'needs either `env` or `file`',
  params: { fix: 'Name the environment variable (`env`) or the file (`file`), not both.' },
}

/** A secret, named by where it is found. */
export const secret = z
  .strictObject(secretShape)
  .refine(hasOneSource, oneSource)
  .meta({ id: 'Secret', minProperties: 1, maxProperties: 1, literal: 'refused', description: 'Where a secret is found.' })

const headerValue = z
  .strictObject({
    ...secretShape,
    text: z.string().optional().describe('The value itself, if it is not a secret.'),
    prefix: z.string().optional().describe('Put before a secret, for example `"Bearer "`.'),
  })
  .refine((value) => (value.text === undefined ? hasOneSource(value) : value.env === undefined && value.file === undefined), {
    error: 'needs either `env`, `file` or `text`',
    params: { fix: 'Name where the value is found (`env` or `file`), or write it down (`text`) if it is not a secret.' },
  })
  .meta({ id: 'HeaderValue', description: 'The value of a header.' })

/** The value of a header; a string is shorthand for `{ text: … }`. */
export const headerValueOrText = z
  .pipe(
    z.transform((value: string | z.input<typeof headerValue>) => (typeof value === 'string' ? { text: value } : value)),
    headerValue,
  )
  .meta({ shorthand: 'text' })

export type HeaderValue = z.output<typeof headerValue>
