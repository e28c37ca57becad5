export function leaksIn(text: string): string[];
export function record(text: string): void;
export function takeRecords(directory: string): string;
