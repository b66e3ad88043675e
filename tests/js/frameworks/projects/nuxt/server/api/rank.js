import { best } from "#shared/rank.js";

export default defineEventHandler(() => best());
