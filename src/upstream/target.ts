import { decodeOddEscapes } from '../core/odd-escapes.ts'
import { foldParameterName } from '../core/parameter-names.ts'

/**
 * Creates the function that joins the upstream's own path and query with the client's query. A parameter of the configuration replaces the
 * client's with the same name. Otherwise the upstream would choose which of two `tenant=…` counts.
 *
 * @param path - of the upstream's URL
 * @param ownQuery - of the upstream's URL, without `?`; may be empty
 */
export function createTargetFormat(path: string, ownQuery: string): (query: string | undefined) => string {
  const base = ownQuery === '' ? path : `${path}?${ownQuery}`
  const ownNames = new Set(listNames(ownQuery))
  return (query) => {
    if (query === undefined || query === '') return base
    if (ownQuery === '') return `${base}?${query}`
    const kept = query.split('&').filter((parameter) => !listNames(parameter).some((name) => ownNames.has(name)))
    return [base, ...kept].join('&')
  }
}

/** The names in a query as the most lenient parsers read them. Some treat `;` like `&`. */
function listNames(query: string): string[] {
  return query.split(/[&;]/).flatMap((parameter) => foldParameterName(decodeName(parameter.split('=', 1)[0] ?? '')))
}

function decodeName(encoded: string): string {
  if (!/[%+]/.test(encoded)) return encoded
  const [name = ''] = new URLSearchParams(decodeOddEscapes(encoded)).keys()
  return name
}
