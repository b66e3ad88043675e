//! Matches two sequences by the items that are known to correspond.

/// Returns pairs of an index into `known` and a value of `wanted`, for items that are not known yet.
///
/// `known` has the corresponding value for some items. Both sequences have the same order. Between two neighbors that
/// correspond, items are matched one by one if there are as many in both sequences.
pub(super) fn align(known: &[Option<usize>], wanted: &[usize]) -> Vec<(usize, usize)> {
    let position = |value: &usize| wanted.iter().position(|other| other == value);
    let mut anchors: Vec<(isize, isize)> = vec![(-1, -1)];
    for (index, value) in known.iter().enumerate() {
        if let Some(place) = value.as_ref().and_then(position) {
            anchors.push((index as isize, place as isize));
        }
    }
    anchors.push((known.len() as isize, wanted.len() as isize));
    let is_ordered = anchors.windows(2).all(|pair| pair[0].1 < pair[1].1);
    if !is_ordered {
        return Vec::new();
    }
    let gaps = anchors.windows(2).map(|pair| (pair[0].0 + 1..pair[1].0, pair[0].1 + 1..pair[1].1));
    let equal = gaps.filter(|(items, values)| items.len() == values.len());
    equal
        .flat_map(|(items, values)| items.zip(values))
        .map(|(item, value)| (item as usize, wanted[value as usize]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_of_equal_length_are_filled() {
        let wanted = [10, 11, 12, 13, 14];
        assert_eq!(align(&[None, Some(11), None, None, Some(14)], &wanted), [(0, 10), (2, 12), (3, 13)]);
        assert_eq!(align(&[None; 5], &wanted).len(), 5);
        assert_eq!(align(&[None, Some(11), None, Some(14)], &wanted), [(0, 10)]);
        assert_eq!(align(&[Some(99), Some(13), None], &wanted), [(2, 14)]);
        assert_eq!(align(&[Some(13), None, Some(11)], &wanted), []);
        assert_eq!(align(&[], &[]), []);
    }
}
