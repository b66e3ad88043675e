import { best } from "../../rank.js";

export const dynamic = "force-dynamic";

export default async function Page() {
  return <p id="best">{await best()}</p>;
}
