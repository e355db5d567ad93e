export const offline = null;
