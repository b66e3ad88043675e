import { createFileRoute } from "@tanstack/react-router";
import { createServerFn } from "@tanstack/react-start";

import { best } from "../rank.js";

const rank = createServerFn().handler(() => best());

export const Route = createFileRoute("/server")({ loader: () => rank(), component: Server });

function Server() {
  return <p id="best">{Route.useLoaderData()}</p>;
}
