/**
 * In the order of their upload: what is referred to comes before what refers to it, so that a page never points at something that
 * isn't there yet.
 */
export const groups = ['fingerprinted', 'asset', 'manifest', 'html'] as const
export type Group = (typeof groups)[number]
