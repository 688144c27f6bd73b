/** Expressions of a URI template (RFC 6570 §2.2), one behind the other. */
const EXPRESSIONS = /(?:\{[^{}]*\})+/g

/** Operators whose values have slashes, or a part of the URI for themselves. */
const MAY_HAVE_SLASHES = /\{[+#/?&]/

/** The pattern of a rule that fits what a URI template becomes; undefined for what is none. */
export function findTemplatePattern(template: string): string | undefined {
  const pattern = template.replace(EXPRESSIONS, (run) => (MAY_HAVE_SLASHES.test(run) ? '**' : '*'))
  return pattern === template || /[{}]/.test(pattern) ? undefined : pattern
}
