type Case = readonly [name: string, document: string | Buffer, condition: string];
export const REFUSED: readonly Case[];
export const REFUSED_ALONE: readonly Case[];
export const ACCEPTED: readonly (readonly [name: string, document: string])[];
export const ACCEPTED_ALONE: readonly (readonly [name: string, document: string])[];
