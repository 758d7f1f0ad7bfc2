//! A graph as a picture that browsers show: levels from left to right, readable on light and on dark pages.
//!
//! Where the boxes go is found by the crate `layout-rs`. How they look stands here, since its own pictures have fixed
//! colours.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use layout::{
    adt::dag::NodeHandle,
    core::{
        base::Orientation,
        color::Color,
        format::{ClipHandle, RenderBackend},
        geometry::Point,
        style::StyleAttr,
    },
    std_shapes::shapes::{Arrow, Element, ShapeKind},
    topo::layout::VisualGraph,
};

use super::Node;

/// Characters of a line; what is longer is cut, and stands whole in the box's `<title>`.
const LINE: usize = 44;
/// Width of a character, height of a line and the space around a text, in pixels. A monospaced font is 0.6 em wide.
const CHAR: f64 = 7.8;
const HEIGHT: f64 = 17.0;
const SPACE: f64 = 10.0;

const STYLE: &str = "\
text { font: 13px ui-monospace, monospace; text-anchor: middle; fill: #1f2328 }
path { fill: none; stroke: #59636e }
rect { stroke-width: 1.5 }
.cached { fill: #dcfce7; stroke: #15803d }
.build { fill: #fef3c7; stroke: #b45309 }
.blocked { fill: #fee2e2; stroke: #b91c1c }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc }
  path { stroke: #9198a1 }
  .cached { fill: #14532d; stroke: #4ade80 }
  .build { fill: #713f12; stroke: #fbbf24 }
  .blocked { fill: #7f1d1d; stroke: #f87171 }
}
";

/// Boxes and what long arrows pass by, up to which crossings of arrows are made few. `layout-rs` takes a second for it.
const ORDERED: usize = 80;
/// The same, up to which there is a picture: some seconds.
const DRAWN: usize = 400;

/// The picture. The same graph gives the same bytes.
///
/// # Errors
/// The graph is too large to be drawn, or to be looked at.
pub(super) fn draw(nodes: &[Node<'_>]) -> Result<String> {
    let levels = levels(nodes);
    let arrows =
        nodes.iter().zip(&levels).flat_map(|(node, level)| node.parents.iter().map(move |parent| (parent, level)));
    let places = nodes.len() + arrows.map(|(parent, level)| level - levels[*parent] - 1).sum::<usize>();
    if places > DRAWN {
        bail!(
            "{} images are too many for a picture of this kind\n\
             name some: cargo xtask graph --format svg IMAGE\n\
             or draw all with Graphviz: cargo xtask graph --format dot | dot -Tsvg",
            nodes.len()
        );
    }
    let mut graph = VisualGraph::new(Orientation::LeftToRight);
    let lines: Vec<Vec<String>> = nodes.iter().map(lines).collect();
    let widths = widths(&levels, &lines);
    let element = |(lines, width): (&Vec<String>, &f64)| element(*width, lines.len());
    let handles: Vec<NodeHandle> =
        lines.iter().zip(&widths).map(element).map(|element| graph.add_node(element)).collect();
    for (place, node) in nodes.iter().enumerate() {
        for &parent in &node.parents {
            // The picture asks for each arrow by these words.
            let arrow = Arrow { properties: Some(format!("{parent} {place}")), ..Arrow::simple("") };
            graph.add_edge(arrow, handles[parent], handles[place]);
        }
    }
    let mut ways = Ways(Vec::new());
    if !nodes.is_empty() {
        graph.do_it(false, places > ORDERED, false, &mut ways);
    }
    let boxes: Vec<Area> = handles.iter().map(|handle| Area::at(&graph, *handle)).collect();
    let top = 3.0 * HEIGHT;
    let width = boxes.iter().map(|area| area.x + area.width).fold(420.0, f64::max) + SPACE;
    let height = boxes.iter().map(|area| area.y + area.height).fold(0.0, f64::max) + SPACE + top;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\">\n\
         <title>Images and what would happen to them</title>\n<style>\n{STYLE}</style>\n{}<g transform=\"translate(0 {top})\">\n",
        legend(nodes)
    );
    for way in &ways.0 {
        way.draw(&boxes, &mut out);
    }
    for ((node, lines), area) in nodes.iter().zip(&lines).zip(&boxes) {
        area.draw(node, lines, &mut out);
    }
    Ok(out + "</g>\n</svg>\n")
}

/// How far from the left each image is: one further than the furthest of its parents, which stand before it.
fn levels(nodes: &[Node<'_>]) -> Vec<usize> {
    let mut levels: Vec<usize> = Vec::new();
    for node in nodes {
        levels.push(node.parents.iter().map(|parent| levels[*parent] + 1).max().unwrap_or(0));
    }
    levels
}

/// What stands in a box: name, tag, and why.
fn lines(node: &Node<'_>) -> Vec<String> {
    let why = node.lines().into_iter().skip(1);
    [node.image.name.clone(), node.image.tag.clone()].into_iter().chain(why).map(|line| cut(&line)).collect()
}

fn cut(line: &str) -> String {
    if line.chars().count() <= LINE {
        return line.to_owned();
    }
    line.chars().take(LINE - 1).chain(['…']).collect()
}

/// The width of each box: that of the widest in its level, so that no arrow has to pass behind one.
fn widths(levels: &[usize], lines: &[Vec<String>]) -> Vec<f64> {
    let mut widest = vec![0; levels.len()];
    for (level, lines) in levels.iter().zip(lines) {
        widest[*level] = lines.iter().map(|line| line.chars().count()).chain([widest[*level]]).max().unwrap_or(0);
    }
    levels.iter().map(|level| widest[*level] as f64 * CHAR + 2.0 * SPACE).collect()
}

fn element(width: f64, lines: usize) -> Element {
    let size = Point::new(width, lines as f64 * HEIGHT + SPACE);
    let style = StyleAttr::new(Color::fast("black"), 1, None, 0, 13);
    // No text: the size is what counts, and it would be measured otherwise.
    Element::create(ShapeKind::Box(String::new()), style, Orientation::LeftToRight, size)
}

/// How many images are in each state, in its colours.
fn legend(nodes: &[Node<'_>]) -> String {
    let mut out = String::new();
    for (place, (state, words)) in
        [("cached", "cached"), ("build", "to build"), ("blocked", "blocked")].into_iter().enumerate()
    {
        let count = nodes.iter().filter(|node| node.state == state).count();
        let x = SPACE + place as f64 * 136.0;
        let _ = writeln!(out, "<rect class=\"{state}\" x=\"{x}\" y=\"{SPACE}\" width=\"124\" height=\"24\" rx=\"4\"/>");
        let _ = writeln!(out, "<text x=\"{}\" y=\"26\">{count} {words}</text>", x + 62.0);
    }
    out
}

/// Where a box lies.
struct Area {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl Area {
    fn at(graph: &VisualGraph, handle: NodeHandle) -> Self {
        let (from, to) = graph.pos(handle).bbox(false);
        Self { x: from.x, y: from.y, width: to.x - from.x, height: to.y - from.y }
    }

    fn draw(&self, node: &Node<'_>, lines: &[String], out: &mut String) {
        let Self { x, y, width, height } = self;
        let title: Vec<String> = [node.image.to_string()].into_iter().chain(node.reasons.clone()).collect();
        let _ = writeln!(out, "<g><title>{}</title>", escape(&title.join("\n")));
        let _ = writeln!(
            out,
            "<rect class=\"{}\" x=\"{x:.0}\" y=\"{y:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" rx=\"4\"/>",
            node.state
        );
        for (place, line) in lines.iter().enumerate() {
            let (x, y) = (x + width / 2.0, y + HEIGHT * (place as f64 + 1.0));
            let _ = writeln!(out, "<text x=\"{x:.0}\" y=\"{y:.0}\">{}</text>", escape(line));
        }
        out.push_str("</g>\n");
    }
}

/// An arrow from box to box, and what it passes by on its way across levels.
struct Way {
    from: usize,
    to: usize,
    between: Vec<Point>,
}

impl Way {
    /// From the middle of a right side to the middle of a left side, level at both ends.
    fn draw(&self, boxes: &[Area], out: &mut String) {
        let (from, to) = (&boxes[self.from], &boxes[self.to]);
        let start = Point::new(from.x + from.width, from.y + from.height / 2.0);
        let end = Point::new(to.x, to.y + to.height / 2.0);
        let _ = write!(out, "<path d=\"M{:.0} {:.0}", start.x, start.y);
        let mut here = start;
        for next in self.between.iter().chain([&end]) {
            let middle = (here.x + next.x) / 2.0;
            let _ = write!(out, " C{middle:.0} {:.0} {middle:.0} {:.0} {:.0} {:.0}", here.y, next.y, next.x, next.y);
            here = *next;
        }
        out.push_str("\"/>\n");
    }
}

/// Takes the ways of the arrows, and draws nothing.
struct Ways(Vec<Way>);

impl RenderBackend for Ways {
    /// `path` has a point and a control point for each box and each place between: at the first the point comes first, at
    /// all others last.
    fn draw_arrow(
        &mut self,
        path: &[(Point, Point)],
        _dashed: bool,
        _head: (bool, bool),
        _look: &StyleAttr,
        properties: Option<String>,
        _text: &str,
    ) {
        let ends = properties.as_deref().and_then(|words| words.split_once(' '));
        let place = |word: &str| word.parse::<usize>().ok();
        let Some((Some(from), Some(to))) = ends.map(|(from, to)| (place(from), place(to))) else { return };
        let inner = path.get(1..path.len().saturating_sub(1)).unwrap_or_default();
        self.0.push(Way { from, to, between: inner.iter().map(|(_, point)| *point).collect() });
    }

    fn draw_rect(&mut self, _: Point, _: Point, _: &StyleAttr, _: Option<String>, _: Option<ClipHandle>) {}
    fn draw_line(&mut self, _: Point, _: Point, _: &StyleAttr, _: Option<String>) {}
    fn draw_circle(&mut self, _: Point, _: Point, _: &StyleAttr, _: Option<String>) {}
    fn draw_text(&mut self, _: Point, _: &str, _: &StyleAttr) {}
    fn create_clip(&mut self, _: Point, _: Point, _: usize) -> ClipHandle {
        0
    }
}

/// As XML has it. What is no character of XML (a control) is left out.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().filter(|c| *c == '\n' || !c.is_control()) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use catalog::ImageRef;

    use super::*;

    fn picture(images: &[(&str, &'static str, &[&str], &[usize])]) -> String {
        let references: Vec<ImageRef> =
            images.iter().map(|(name, ..)| ImageRef { name: (*name).to_owned(), tag: "1".to_owned() }).collect();
        let nodes = images.iter().zip(&references).map(|((_, state, reasons, parents), image)| Node {
            image,
            state,
            reasons: reasons.iter().map(ToString::to_string).collect(),
            parents: parents.to_vec(),
        });
        draw(&nodes.collect::<Vec<_>>()).unwrap()
    }

    /// Numbers of an attribute, in the order of the picture.
    fn numbers(svg: &str, element: &str, attribute: &str) -> Vec<f64> {
        let picture = svg.split_once("<g transform").unwrap().1;
        let elements = picture.split(element).skip(1);
        elements.map(|text| text.split(attribute).nth(1).unwrap().split('"').nth(1).unwrap().parse().unwrap()).collect()
    }

    #[test]
    fn levels_go_from_left_to_right_and_no_box_covers_another() {
        let images: [(&str, &str, &[&str], &[usize]); 5] = [
            ("base", "cached", &[], &[]),
            ("custom", "build", &["a changed", "b changed"], &[0]),
            ("one", "build", &["custom:1 is built"], &[1]),
            ("other", "blocked", &["no registry has it"], &[1]),
            ("runtime", "blocked", &["other:1 is blocked"], &[0, 2, 3]),
        ];
        let svg = picture(&images);
        let [x, y] = ["x=", "y="].map(|attribute| numbers(&svg, "<rect", attribute));
        let [width, height] = ["width=", "height="].map(|attribute| numbers(&svg, "<rect", attribute));
        assert!(x[0] + width[0] < x[1] && x[1] + width[1] < x[2] && x[2] == x[3] && x[3] + width[3] < x[4], "{svg}");
        assert!(y[2] + height[2] < y[3] || y[3] + height[3] < y[2], "{svg}");
        assert_eq!(svg.matches("<path").count(), 6, "{svg}");
        // The arrow over two levels passes by the boxes between.
        let long = svg.lines().find(|line| line.starts_with("<path") && line.matches('C').count() > 2).unwrap();
        let between: Vec<f64> = long.split(" C").nth(2).unwrap().split(' ').map(|n| n.parse().unwrap()).collect();
        assert!([2, 3].iter().all(|&place| between[5] < y[place] || between[5] > y[place] + height[place]), "{svg}");
        for text in [">1 cached<", ">2 to build<", ">2 blocked<", ">and 1 more<", "b changed</title>"] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
        assert_eq!(svg, picture(&images));
    }

    #[test]
    fn what_a_user_named_is_text_and_stays_in_its_box() {
        let long = "x".repeat(500) + "\u{1b}]0;<script>&\"";
        let svg = picture(&[("<b>&\"'", "build", &[&long], &[])]);
        assert!(svg.contains(">&lt;b&gt;&amp;&quot;'<") && svg.contains("xxx…<"), "{svg}");
        assert!(svg.contains("x]0;&lt;script&gt;&amp;&quot;</title>") && !svg.contains('\u{1b}'), "{svg}");
        assert!(numbers(&svg, "<rect", "width=")[0] < 400.0, "{svg}");
    }

    /// Whatever refers to whatever: the crate asserts what it believes of a graph.
    #[test]
    fn any_graph_is_a_picture_without_boxes_on_boxes() {
        let mut seed = 1_u32;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) as usize % below
        };
        for size in 1..25 {
            let parents: Vec<Vec<usize>> = (0..size)
                .map(|place| {
                    let parents: BTreeSet<usize> = (0..random(4).min(place)).map(|_| random(place)).collect();
                    parents.into_iter().collect()
                })
                .collect();
            let images: Vec<_> =
                parents.iter().map(|parents| ("image", "build", &["why"][..], parents.as_slice())).collect();
            let svg = picture(&images);
            let [x, y, width, height] =
                ["x=", "y=", "width=", "height="].map(|attribute| numbers(&svg, "<rect", attribute));
            for (one, other) in (0..size).flat_map(|one| (0..one).map(move |other| (one, other))) {
                let apart = |at: &[f64], extent: &[f64]| {
                    at[one] + extent[one] <= at[other] || at[other] + extent[other] <= at[one]
                };
                assert!(apart(&x, &width) || apart(&y, &height), "{one} and {other} of {images:?}:\n{svg}");
            }
        }
    }

    #[test]
    fn what_is_too_large_is_an_error_that_says_what_to_do() {
        let image = ImageRef { name: "image".to_owned(), tag: "1".to_owned() };
        let node = |_| Node { image: &image, state: "build", reasons: Vec::new(), parents: Vec::new() };
        let error = draw(&(0..500).map(node).collect::<Vec<_>>()).unwrap_err().to_string();
        assert!(error.starts_with("500 images are too many") && error.contains("--format dot"), "{error}");
    }

    #[test]
    fn nothing_is_a_picture_too() {
        assert!(picture(&[]).contains(">0 cached<"));
    }
}
