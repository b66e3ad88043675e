// Compiled and never run: a component of Vue, and code that must not compile.
import { type Ranking, useRanking, useReranker } from "ranklet/vue";
import { computed, defineComponent, ref } from "vue";

interface Row {
  readonly id: number;
  readonly text: string;
}

export const Search = defineComponent({
  props: { name: { type: String, required: true } },
  setup(props) {
    const query = ref("");
    const rows = ref<Row[]>([]);
    const { reranker, loading, progress, error } = useReranker(() => props.name, { workers: 1 });
    const ranking: Ranking<Row> = useRanking(reranker, query, rows, () => ({ topN: 3, highlights: 1 }));
    const first = computed(() => ranking.results.value[0]?.highlights?.[0]?.start ?? ranking.results.value[0]?.document.id);
    // @ts-expect-error a number is no query
    useRanking(reranker, 3, rows);
    // @ts-expect-error refs have values
    loading.length;
    return { first, loading, code: computed(() => error.value?.code ?? progress.value?.file), cancel: ranking.cancel };
  },
});
