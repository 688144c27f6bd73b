import { resolve } from 'node:path'
import { findSecretFileMistake, findVariableMistake } from '../format/formats.ts'
import { findImageType } from '../format/image-type.ts'
import { type ConfigPath, looksLikeSecret, type Mistake, quote, type Report } from '../problem/problem.ts'
import type { PartialConfig } from '../schema/partial-config.ts'
import type { Config } from '../schema/schema.ts'
import { readBoundedFile, readBoundedText } from './bounded-file.ts'
import { type EgressEnvironment, NO_EGRESS_VARIABLES, readEgressEnvironment } from './egress-environment.ts'
import { dropFinalLineBreak } from './final-line-break.ts'
import { explainReadError, findReadFailure, type ReadFailure } from './read-failure.ts'

/** Longest file that a configuration may refer to. */
const MAX_BYTES = 1_048_576

/** Longest image: it is part of every page that shows it. */
const MAX_IMAGE_BYTES = 102_400

/** Keys of `broker` that name images. */
const IMAGES = ['logo', 'favicon']

/** Where secrets and files are looked for. */
export interface ReferenceSource {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Directory against which relative paths are resolved. */
  readonly directory: string
  /** `stand_in`: secrets are not read, and files may be missing. */
  readonly secrets?: 'stand_in' | undefined
}

/** A secret by name. */
interface Reference {
  readonly env?: string | undefined
  readonly file?: string | undefined
}

/** What a configuration refers to, read. */
export interface SecretsAndFiles {
  /** Directory against which relative paths are resolved. */
  readonly directory: string
  /** Whether everything has to be there: the configuration is to be used, and not only looked at. */
  readonly isComplete: boolean
  /** The secret; undefined when it could not be read, which is then among the mistakes. */
  readonly findSecret: (reference: Reference | undefined) => string | undefined
  /** The text of a PEM file; undefined when it could not be read, which is then among the mistakes. */
  readonly findFile: (file: string | undefined) => string | undefined
  /** An image as a `data:` URI; undefined when it could not be read, which is then among the mistakes. */
  readonly findImage: (file: string | undefined) => string | undefined
  /** What the environment says about forward proxies. */
  readonly egressVariables: EgressEnvironment
  /** Absolute paths of all files that it refers to. */
  readonly paths: readonly string[]
}

/**
 * Reads every secret and file that a configuration refers to, and reports those that cannot be had. What they hold is never reported.
 *
 * @param config - the configuration
 * @param source - where to look
 * @param report - takes the mistakes
 */
export function loadSecretsAndFiles(config: PartialConfig<Config>, source: ReferenceSource, report: Report): SecretsAndFiles {
  const secrets = new Map<string, string>()
  const files = new Map<string, string>()
  const images = new Map<string, string>()
  const paths = new Set<string>()
  const locate = (file: string): string => {
    paths.add(resolve(source.directory, file))
    return file
  }
  const isComplete = source.secrets !== 'stand_in'
  const reportFile: Report = (at, mistake) => isComplete && report(at, mistake)
  walk(config, [], (at, key, value) => {
    if (key.endsWith('_file')) take(files, value, readWholeFile(locate(value), source), at, reportFile)
    if (IMAGES.includes(key) && at.length === 2 && at[0] === 'broker')
      take(images, value, readImage(locate(value), source), at, reportFile)
    if (!isComplete) return
    if (key === 'env' && !findVariableMistake(value)) take(secrets, `env ${value}`, readEnvironment(value, source), at, report)
    if (key === 'file' && !isWritten(at) && !findSecretFileMistake(value))
      take(secrets, `file ${value}`, readSecretFile(locate(value), source), at, report)
  })
  return {
    directory: source.directory,
    isComplete,
    findSecret: (reference) =>
      secrets.get(reference?.env === undefined ? `file ${reference?.file ?? ''}` : `env ${reference.env}`),
    findFile: (file) => (file === undefined ? undefined : files.get(file)),
    findImage: (file) => (file === undefined ? undefined : images.get(file)),
    // Those of a machine that only checks are not those of the one that serves.
    egressVariables: isComplete ? readEgressEnvironment(source.env) : NO_EGRESS_VARIABLES,
    paths: [...paths],
  }
}

/** `audit.file` is written, not read. */
function isWritten(at: ConfigPath): boolean {
  return at.length === 2 && at[0] === 'audit'
}

type Reading = { readonly kind: 'read'; readonly text: string } | { readonly kind: 'failed'; readonly mistake: Mistake }

function take(target: Map<string, string>, key: string, reading: Reading, at: ConfigPath, report: Report): void {
  if (reading.kind === 'failed') report(at, reading.mistake)
  else target.set(key, reading.text)
}

function readEnvironment(name: string, source: ReferenceSource): Reading {
  const text = source.env[name] ?? ''
  if (text.trim() !== '') return { kind: 'read', text: dropFinalLineBreak(text) }
  const state = source.env[name] === undefined ? 'not set' : 'empty'
  return {
    kind: 'failed',
    mistake: { reason: `the environment variable${nameUnlessSecret(name)} is ${state}`, fix: 'Set it before the start.' },
  }
}

function nameUnlessSecret(name: string): string {
  return looksLikeSecret(name) ? ' that is named here' : ` ${quote(name)}`
}

function readSecretFile(file: string, source: ReferenceSource): Reading {
  const reading = readWholeFile(file, source)
  return reading.kind === 'failed' ? reading : { kind: 'read', text: dropFinalLineBreak(reading.text) }
}

function readWholeFile(file: string, source: ReferenceSource): Reading {
  const path = resolve(source.directory, file)
  try {
    const text = readBoundedText(path, MAX_BYTES)
    if (text.trim() !== '') return { kind: 'read', text }
    return { kind: 'failed', mistake: { reason: `the file ${quote(path)} is empty`, fix: 'Write the value into it.' } }
  } catch (error) {
    return { kind: 'failed', mistake: describeUnreadable(file, path, error) }
  }
}

const FIXES: Readonly<Record<ReadFailure, string>> = {
  missing: 'Make the file, or correct its path.',
  directory: 'Name a file in it.',
  forbidden: 'Let the user that the proxy runs as read it.',
  not_utf8: 'Save it as UTF-8.',
  too_long: 'Check that it is the right file.',
  other: 'Check its path and permissions.',
}

function describeUnreadable(file: string, path: string, error: unknown): Mistake {
  return {
    reason: `the file${nameFile(file, path)} cannot be read (${explainReadError(error)})`,
    fix: FIXES[findReadFailure(error)],
  }
}

function nameFile(file: string, path: string): string {
  return looksLikeSecret(file) ? '' : ` ${quote(path)}`
}

function readImage(file: string, source: ReferenceSource): Reading {
  const path = resolve(source.directory, file)
  try {
    const bytes = readBoundedFile(path, MAX_IMAGE_BYTES)
    const type = findImageType(bytes)
    if (type !== undefined) return { kind: 'read', text: `data:${type};base64,${bytes.toString('base64')}` }
    return {
      kind: 'failed',
      mistake: {
        reason: `the file${nameFile(file, path)} is not a PNG, SVG, JPEG or WebP image`,
        fix: 'Name an image of one of these types; the file extension does not matter.',
      },
    }
  } catch (error) {
    return {
      kind: 'failed',
      mistake: {
        ...describeUnreadable(file, path, error),
        fix: `Name an image of at most ${MAX_IMAGE_BYTES} bytes that can be read.`,
      },
    }
  }
}

/** Visits every key whose value is a text. */
function walk(value: unknown, at: ConfigPath, visit: (at: ConfigPath, key: string, value: string) => void): void {
  if (Array.isArray(value)) {
    value.forEach((item, index) => {
      walk(item, [...at, index], visit)
    })
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, member] of Object.entries(value)) {
      if (typeof member === 'string' && member !== '') visit([...at, key], key, member)
      else walk(member, [...at, key], visit)
    }
  }
}
