import { describe, expect, it } from 'vitest'
import { findImageType } from './image-type.ts'

const SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"></svg>'

describe('the type of an image', () => {
  it.each([
    ['image/png', Buffer.from('89504e470d0a1a0a0000', 'hex')],
    ['image/jpeg', Buffer.from('ffd8ffe000104a464946', 'hex')],
    ['image/webp', Buffer.from('RIFF\x10\0\0\0WEBPVP8 ', 'latin1')],
    ['image/svg+xml', Buffer.from(SVG)],
    ['image/svg+xml', Buffer.from(`\ufeff<?xml version="1.0"?>\n<!-- <svg> -->\n<!DOCTYPE svg PUBLIC "a" "b">\n${SVG}`)],
  ])('is seen in its content: %s', (type, bytes) => {
    expect(findImageType(bytes)).toBe(type)
  })

  it.each([
    ['nothing', ''],
    ['a text', 'image/png'],
    ['a GIF', 'GIF89a'],
    ['a page', '<!DOCTYPE html><html><svg xmlns="http://www.w3.org/2000/svg"></svg></html>'],
    ['a RIFF file that is no image', 'RIFF\x10\0\0\0WAVEfmt '],
    ['an SVG without its namespace', '<svg></svg>'],
    ['another element', SVG.replaceAll('svg ', 'svgs ')],
    ['a comment without an end', `<!-- ${SVG}`],
    ['a document type with entities', `<!DOCTYPE svg [<!ENTITY a "b">]>${SVG}`],
  ])('is none for %s', (_what, text) => {
    expect(findImageType(Buffer.from(text, 'latin1'))).toBeUndefined()
  })
})
