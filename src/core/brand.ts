import { escapeHtml } from './html.ts'
import { PAGE_ICON } from './page-icon.ts'

/** Whose pages they are, for the people who see them. Images are `data:` URIs. */
export interface BrandPlan {
  readonly company: string | undefined
  readonly logo: string | undefined
  readonly favicon: string | undefined
}

export const NO_BRAND: BrandPlan = { company: undefined, logo: undefined, favicon: undefined }

/** The top of a page. An SVG in an `img` runs no script and loads nothing. */
export function renderBrand({ company, logo }: BrandPlan): string {
  if (company === undefined && logo === undefined) return ''
  const image = logo === undefined ? '' : `<img src="${escapeHtml(logo)}" alt="">`
  return `<div class="brand">${image}${company === undefined ? '' : `<span>${escapeHtml(company)}</span>`}</div>`
}

/** The icon in the browser's tab. */
export function renderIcon({ favicon }: BrandPlan): string {
  return `<link rel="icon" href="${escapeHtml(favicon ?? PAGE_ICON)}">`
}
