
// Sums and maxima over all invocations of a workgroup; each of them gets the result. Appended to other kernels.
#if REDUCE
var<workgroup> reduced: array<{REDUCED}, {THREADS}>;
#if SUBGROUPS
var<private> lane: u32;   // of the subgroup
var<private> lanes: u32;

fn total(index: u32, value: {REDUCED}) -> {REDUCED} {
  let sum = subgroupAdd(value);
  reduced[index] = select({REDUCED}(), sum, lane == 0u);
  workgroupBarrier();
  var rest = {REDUCED}();
  for (var other = lane; other < {THREADS}u; other += lanes) { rest += reduced[other]; }
  workgroupBarrier();
  return subgroupAdd(rest);
}

fn maximum(index: u32, value: {REDUCED}) -> {REDUCED} {
  let own = subgroupMax(value);
  reduced[index] = own;
  workgroupBarrier();
  var largest = own;
  for (var other = lane; other < {THREADS}u; other += lanes) { largest = max(largest, reduced[other]); }
  workgroupBarrier();
  return subgroupMax(largest);
}
#else
// By halves.
fn total(index: u32, value: {REDUCED}) -> {REDUCED} {
  reduced[index] = value;
  workgroupBarrier();
  for (var half = {THREADS}u / 2u; half > 0u; half /= 2u) {
    if (index < half) { reduced[index] += reduced[index + half]; }
    workgroupBarrier();
  }
  let sum = reduced[0];
  workgroupBarrier();
  return sum;
}

fn maximum(index: u32, value: {REDUCED}) -> {REDUCED} {
  reduced[index] = value;
  workgroupBarrier();
  for (var half = {THREADS}u / 2u; half > 0u; half /= 2u) {
    if (index < half) { reduced[index] = max(reduced[index], reduced[index + half]); }
    workgroupBarrier();
  }
  let largest = reduced[0];
  workgroupBarrier();
  return largest;
}
#end
#end
