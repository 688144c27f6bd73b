import { compileNamePattern } from '../../core/name-pattern.ts'
import { spend, type Work } from '../work.ts'
import { compileSegmentPattern } from './segment-pattern.ts'

/** Decides whether a resource URI fits a pattern. */
export type MatchUri = (uri: string, work: Work) => boolean

/**
 * Compiles the pattern of a resource URI. `*` stands for any characters except `/`, `**` for any characters; also none. Takes time in
 * proportion to the URI, whatever the pattern.
 *
 * @param pattern - for example `file:///reports/**`
 */
export function compileUriPattern(pattern: string): MatchUri {
  const first = pattern.indexOf('*')
  if (first === -1) return (uri) => uri === pattern
  const last = pattern.lastIndexOf('*') + 1
  const prefix = pattern.slice(0, first)
  const suffix = pattern.slice(last)
  const fitsBetween = compileMiddle(pattern.slice(first, last))
  return (uri, work) => {
    const end = uri.length - suffix.length
    if (end < prefix.length || !uri.startsWith(prefix) || !uri.endsWith(suffix)) return false
    return fitsBetween(uri.slice(prefix.length, end), work)
  }
}

/** What begins and ends with a wildcard. */
function compileMiddle(pattern: string): MatchUri {
  if (/^\*{2,}$/.test(pattern)) return () => true
  if (!/(?<!\*)\*(?!\*)/.test(pattern)) return counted(compileNamePattern(pattern), 1)
  return counted(...compileSegmentPattern(pattern))
}

function counted(fits: (text: string) => boolean, perCharacter: number): MatchUri {
  return (text, work) => {
    spend(work, text.length * perCharacter)
    return work.left >= 0 && fits(text)
  }
}
